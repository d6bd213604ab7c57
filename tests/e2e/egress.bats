# What the policy allows works: real clients, nginx over TLS, real network namespaces.
bats_require_minimum_version 1.5.0

load ../fixtures/egress/suite

plain='{"name":"plain","scheme":"http","host":"plain.test","methods":["GET","HEAD","POST","PUT"],"paths":["/v1/"],"body-bytes":40000000,"request-bytes":100000000}'
verify='{"name":"verify","scheme":"https","host":"api.test","tls":{"mode":"verify"}}'
inspect='{"name":"inspect","scheme":"https","host":"api.test","tls":{"mode":"inspect"},"methods":["GET","POST"],"paths":["/v1/"],"body-bytes":40000000,"request-bytes":100000000}'
echoes='{"name":"echo","scheme":"tcp","host":"plain.test","port":7000}'

@test "plain HTTP through the proxy, and what the log says of it" {
        lab_config <<<"[$plain]"
        run -0 job curl -sS http://plain.test/v1/hello
        [ "$output" = hello ]
        [ "$(events '[.[].action]')" = '["flow.opened","flow.closed"]' ]
        [ "$(events '.[1] | [.outcome, .details.rule, .details.method, .details.path, .details.status, .details.destination, .details.address]')" = \
                '["done","plain","GET","/v1/hello",200,"http://plain.test:80","93.184.216.34"]' ]
        [ "$(events '.[1].details | .received > 6 and .sent > 20')" = true ]
}

@test "the digest of a request's body is the body's" {
        lab_config <<<"[$(jq -c '.port=8000' <<<"$plain")]"
        head -c 3000000 "$LAB/www/v1/large" >"$LAB/upload"
        run -0 job curl -sS --data-binary "@$LAB/upload" -H "Content-Type: application/octet-stream" http://plain.test:8000/v1/ok
        [ "$output" = ok ]
        [ "$(events '.[1].details.sent_digest')" = "\"sha256:$(sha256sum <"$LAB/upload" | cut -d' ' -f1)\"" ]
        # The same as chunks (curl asks for "100 Continue" first).
        run -0 job curl -sS --data-binary "@$LAB/upload" -H "Transfer-Encoding: chunked" -H "Expect: 100-continue" http://plain.test:8000/v1/ok
        [ "$output" = ok ]
        [ "$(events '.[1].details.sent_digest')" = "\"sha256:$(sha256sum <"$LAB/upload" | cut -d' ' -f1)\"" ]
}

@test "a large response arrives whole, and its digest is taken where asked" {
        lab_config <<<"[$(jq -c '.["digest-responses"]=true' <<<"$plain")]"
        run -0 job curl -sS -o "$LAB/got" http://plain.test/v1/large
        cmp "$LAB/got" "$LAB/www/v1/large"
        [ "$(events '.[1].details.received_digest')" = "\"sha256:$(sha256sum <"$LAB/www/v1/large" | cut -d' ' -f1)\"" ]
}

@test "several requests over one connection are several entries" {
        lab_config <<<"[$plain]"
        run -0 job curl -sSv http://plain.test/v1/hello http://plain.test/v1/hello -I http://plain.test/v1/hello
        [[ $output == *"Re-using existing connection"* ]]
        [ "$(events '[.[] | select(.action == "flow.closed") | .details.connection] | [length, (unique | length)]')" = '[3,1]' ]
}

@test "HTTPS that is passed through once the certificate is verified" {
        lab_config <<<"[$verify]"
        run -0 job curl -sS --cacert "$LAB/ca.pem" https://api.test/v1/hello
        [ "$output" = hello ]
        [ "$(events '.[-1] | [.outcome, .details.rule, .details.destination]')" = '["done","verify","https://api.test:443"]' ]
}

@test "HTTPS that is inspected: the client trusts the site's CA, the log knows method and path" {
        lab_config <<<"[$inspect]"
        run -0 job curl -sS --cacert "$LAB/site.pem" -H "X-Note: seen" https://api.test/v1/echo
        [ "$output" = "secure GET seen" ]
        [ "$(events '.[-1] | [.outcome, .details.method, .details.path]')" = '["done","GET","/v1/echo"]' ]
        run -0 job env SSL_CERT_FILE="$LAB/site.pem" python3 -c 'import urllib.request
print(urllib.request.urlopen("https://api.test/v1/hello").read().decode())'
        [[ $output == hello* ]]
        run -0 job curl -sS --cacert "$LAB/site.pem" -o "$LAB/got" https://api.test/v1/large
        cmp "$LAB/got" "$LAB/www/v1/large"
}

@test "SOCKS 5, for all three schemes" {
        lab_config <<<"[$plain,$verify,$echoes]"
        run -0 job sh -c 'curl -sS --proxy socks5h://$GBX_PROXY http://plain.test/v1/hello'
        [ "$output" = hello ]
        run -0 job sh -c "curl -sS --proxy socks5h://\$GBX_PROXY --cacert $LAB/ca.pem https://api.test/v1/hello"
        [ "$output" = hello ]
        run -0 job env LAB=$LAB sh -c 'echo over tcp | curl -sS --max-time 2 --proxy socks5h://$GBX_PROXY -T - telnet://plain.test:7000 2>$LAB/curl | head -1'
        [ "$output" = "over tcp" ]
        [ "$(events '.[-1].details | [.rule, .sent, .received]')" = '["echo",9,9]' ]
}

@test "a pinned key passes, another one does not" {
        local pin
        pin=$(openssl x509 -in "$LAB/api.test.pem" -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)
        for base in "$verify" "$inspect"; do
                lab_config <<<"[$(jq -c ".tls.pins=[\"sha256:$pin\"]" <<<"$base")]"
                run -0 job sh -c "cat $LAB/ca.pem $LAB/site.pem >$LAB/both.pem; curl -sS --cacert $LAB/both.pem https://api.test/v1/hello"
                lab_config <<<"[$(jq -c ".tls.pins=[\"sha256:${pin//[0-9]/0}\"]" <<<"$base")]"
                run job curl -sS --cacert "$LAB/both.pem" https://api.test/v1/hello
                [ "$status" -ne 0 ] || [[ $output == *pinned* ]]
                [ "$(events '.[-1].reasons')" = '["pin"]' ]
        done
}

@test "the proxy shows the server a client certificate that the job never has" {
        lab_config <<<'[{"name":"mtls","scheme":"https","host":"mtls.test","port":444,"tls":{"mode":"inspect","client-certificate":"bank"}},
                        {"name":"none","scheme":"https","host":"mtls.test","port":443,"tls":{"mode":"inspect"}}]'
        run -0 job curl -sS --cacert "$LAB/site.pem" https://mtls.test:444/
        [ "$output" = "client CN=client" ]
}

@test "the content scan stops personal data in head and body, however it is spelled" {
        lab_config '.["scan-values"]={identity:["customer-4711"]}' <<<"[$(jq -c '.scan=true | .paths=["/v1/"]' <<<"$plain")]"
        id=11010519491231002X # a valid checksum
        for attempt in "http://plain.test/v1/echo?id=$id" "http://plain.test/v1/echo?id=%31${id:1}" "http://plain.test/v1/$id" \
                "-d $id http://plain.test/v1/echo" "-d id=%31${id:1} http://plain.test/v1/echo" "-H X-Note:$id http://plain.test/v1/echo" \
                "-d customer-4711 http://plain.test/v1/echo"; do
                run -0 job curl -sS $attempt
                [ "$output" = "the content scan found what must not leave" ]
                [ "$(events '[.[].action]')" = '["flow.refused"]' ]
        done
        run -0 job curl -sS -H "Content-Type: application/json" -d '{"id":"\u0031'"${id:1}"'"}' http://plain.test/v1/echo
        [ "$output" = "the content scan found what must not leave" ]
        ! grep -q "${id:1}" "$LAB/events" || false
        run -0 job curl -sS -d '{"score": 17}' -H "Content-Type: application/json" http://plain.test/v1/echo
        [ "$output" = "posted application/json" ]
        run -0 job curl -sS -d 11010519491231003X http://plain.test/v1/echo # a wrong checksum is no identity number
        [[ $output == posted* ]]
        run -0 job curl -sS -d x -H "Content-Encoding: gzip" http://plain.test/v1/echo
        [[ $output == *"cannot be scanned"* ]]
}

@test "each kind of personal data that the rules know is found, and what only looks like it is not" {
        local rules="[$(jq -c '.scan=true' <<<"$plain")]" found
        lab_config <<<"$rules"
        for found in resident-id=11010519491231002X mobile=13912345678 bank-card=4111111111111111 credit-code=91350100M000100Y43 e-mail=li.wang@example.org; do
                run -0 job curl -sS -d "it says ${found#*=} here" http://plain.test/v1/echo
                [ "$output" = "the content scan found what must not leave" ]
                [ "$(events '.[-1].details.scan_rule')" = "\"${found%%=*}\"" ]
        done
        for found in 11010519491231003X 12912345678 4111111111111112 91350100M000100Y44 li.wang-at-example.org; do # control: by checksum or form
                run -0 job curl -sS -d "it says $found here" http://plain.test/v1/echo
                [[ $output == posted* ]] || { echo "$found: $output"; false; }
        done
}

@test "types of content, sizes of bodies, numbers of connections, hours: what a rule names is kept" {
        lab_config <<<"[$(jq -c '.["request-types"]=["application/json"] | .["body-bytes"]=1000' <<<"$plain")]"
        run -0 job curl -sS -d '{}' -H 'Content-Type: application/json; charset=utf-8' http://plain.test/v1/echo
        [[ $output == "posted application/json"* ]]
        run -0 job curl -sS -o /dev/null -w '%{http_code}' -d '{}' -H 'Content-Type: text/plain' http://plain.test/v1/echo
        [ "$output" = 415 ]
        run -0 job curl -sS -o /dev/null -w '%{http_code}' -d '{}' -H 'Content-Type;' http://plain.test/v1/echo
        [ "$output" = 415 ]
        head -c 1001 "$LAB/www/v1/large" >"$LAB/upload"
        run job curl -s -o /dev/null -w '%{http_code}' --data-binary "@$LAB/upload" -H 'Content-Type: application/json' http://plain.test/v1/echo
        [ "$output" = 413 ]
        lab_config <<<"[$(jq -c '.["connections-run"]=2' <<<"$plain")]"
        run -0 job sh -c 'for i in 1 2 3; do curl -s -o /dev/null -w "%{http_code} " http://plain.test/v1/hello; done'
        [ "$output" = "200 200 429 " ]
        [ "$(events '.[-1].reasons')" = '["connections"]' ]
        lab_config <<<"[$(jq -c '.connections=1 | .rate=200000' <<<"$plain")]"
        run -0 job sh -c 'curl -s --max-time 3 -o /dev/null http://plain.test/v1/large & sleep 1; curl -s -o /dev/null -w "%{http_code}" http://plain.test/v1/hello; wait; exit 0'
        [ "$output" = 429 ]
        # Yesterday's weekday and tomorrow's are not today's; the control is all seven.
        local today=$(LC_ALL=C date -u +%a | tr A-Z a-z)
        lab_config <<<"[$(jq -c --arg today "$today" '.window={days:(["mon","tue","wed","thu","fri","sat","sun"] - [$today])}' <<<"$plain")]"
        run -0 job curl -sS -o /dev/null -w '%{http_code}' http://plain.test/v1/hello
        [ "$output" = 403 ]
        [ "$(events '.[-1].reasons')" = '["window"]' ]
        lab_config <<<"[$(jq -c '.window={days:["mon","tue","wed","thu","fri","sat","sun"]}' <<<"$plain")]"
        run -0 job curl -sS http://plain.test/v1/hello
        [ "$output" = hello ]
}

@test "an entry has the path's digest where the rule says so, the time taken, and the digest of the body" {
        lab_config <<<"[$(jq -c '.["hash-path"]=true' <<<"$plain")]"
        run -0 job curl -sS -d 'some words' -H 'Content-Type: text/plain' http://plain.test/v1/echo?name=value
        [[ $output == posted* ]]
        run ! grep -q -e /v1/echo -e name=value "$LAB/events"
        [ "$(events '.[-1].details.path')" = "\"sha256:$(printf '%s' /v1/echo | sha256sum | cut -d' ' -f1)\"" ]
        [ "$(events '.[-1].details.sent_digest')" = "\"sha256:$(printf '%s' 'some words' | sha256sum | cut -d' ' -f1)\"" ]
        [ "$(events '.[-1].details | .wall_ms >= 0 and .sent > 10 and .received > 10 and .status == 200 and .rule == "plain" and .method == "POST"')" = true ]
}

@test "quotas of the run and of the day hold" {
        lab_config <<<"[$(jq -c '.["response-bytes"]=1000000' <<<"$plain")]"
        run job curl -sS -o "$LAB/got" -w '%{http_code}' http://plain.test/v1/large
        [ "$output" = 429 ]
        [ "$(events '.[-1].reasons')" = '["quota"]' ]
        lab_config <<<"[$(jq -c '.["request-bytes"]=2000' <<<"$plain")]"
        run job sh -c 'for i in $(seq 40); do curl -s -o /dev/null -w "%{http_code} " http://plain.test/v1/hello; done'
        [[ $output == "200 200 "*" 429 429 "* ]]
        [ "$(events '[.[] | select(.action == "flow.closed") | .details.sent] | add <= 2000')" = true ]
        lab_config '.["used-today"]={plain:{"request-bytes":0,"response-bytes":5000000}}' <<<"[$(jq -c '.["response-bytes-day"]=5000010' <<<"$plain")]"
        run job curl -s -o /dev/null -w '%{http_code}' http://plain.test/v1/hello
        [ "$output" = 502 ] || [ "$output" = 429 ]
        [ "$(events '.[-1].reasons')" = '["quota"]' ]
}


# How near the rate is kept is measured in scripts/bench egress; a busy machine may be slower, never faster.
@test "a rule's rate holds within 5 %, in either direction" {
        lab_config <<<"[$(jq -c '.rate=4194304' <<<"$plain"),$(jq -c '.name="up" | .port=8000 | .rate=4194304' <<<"$plain")]"
        cat >"$LAB/rates" <<'END'
curl -s -o /dev/null -w '%{time_total}\n' http://plain.test/v1/large
head -c 16777216 "$LAB/www/v1/large" | curl -s -o /dev/null -w '%{time_total}\n' -H Expect: -H Content-Type: -T - -X POST http://plain.test:8000/v1/ok
END
        run -0 job sh "$LAB/rates"
        # 32 MiB and 16 MiB at 4 MiB a second.
        echo "# down ${lines[0]} s of 8, up ${lines[1]} s of 4"
        awk -v t="${lines[0]}" 'BEGIN { exit !(t > 7.6 && t < 8.4) }'
        awk -v t="${lines[1]}" 'BEGIN { exit !(t > 3.8 && t < 4.2) }'
}

@test "the cable's rate is never exceeded, in either direction" {
        lab_config <<<"[$plain,$(jq -c '.name="up" | .port=8000' <<<"$plain")]"
        run -0 outside "$BUILD/tests/egress-lab" "$LAB/config.json" "$LAB/events" --rate 4M -- curl -s -o /dev/null -w '%{time_total}' http://plain.test/v1/large
        echo "# $output s of 8 (and what headers take)"
        awk -v t="$output" 'BEGIN { exit !(t > 7.6) }'
        head -c 8388608 "$LAB/www/v1/large" >"$LAB/upload"
        run -0 outside "$BUILD/tests/egress-lab" "$LAB/config.json" "$LAB/events" --rate 4M -- curl -s -o /dev/null -w '%{time_total}' -H Expect: --data-binary "@$LAB/upload" http://plain.test:8000/v1/ok
        echo "# $output s of 2"
        awk -v t="$output" 'BEGIN { exit !(t > 1.8) }'
}

@test "live flows are listed with their rates, and an administrator can cut a flow, a rule, a run" {
        lab_config <<<"[$(jq -c '.rate=1000000' <<<"$plain"),$echoes]"
        cat >"$LAB/control.py" <<'END'
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(os.environ["LAB"] + "/control"); s.sendall(sys.argv[1].encode() + b"\n")
data = b""
while True:
    part = s.recv(65536)
    if not part: break
    data += part
print(data.decode(), end="")
END
        cat >"$LAB/session" <<'END'
curl -s -o /dev/null http://plain.test/v1/large & one=$!
sleep 1
python3 "$LAB/control.py" '{"command":"flows"}'
flow=$(python3 "$LAB/control.py" '{"command":"flows"}' | jq '.flows[0].flow')
python3 "$LAB/control.py" "{\"command\":\"cut\",\"flow\":$flow}"
wait $one; echo "curl $?"
python3 "$LAB/control.py" '{"command":"cut","rule":"plain"}'
curl -s http://plain.test/v1/hello
python3 "$LAB/control.py" '{"command":"sing"}'
END
        run -0 outside "$BUILD/tests/egress-lab" "$LAB/config.json" "$LAB/events" --control "$LAB/control" -- env PATH="/usr/bin:$PATH" sh "$LAB/session"
        [ "$(jq -c '[.run, .analyst, (.flows | length), (.flows[0].rule), (.flows[0].rate > 300000), .flows[0].path]' <<<"${lines[0]}")" = \
                '["run-000001","bank-a",1,"plain",true,"/v1/large"]' ]
        [ "${lines[1]}" = '{"cut":1}' ]
        [[ ${lines[2]} == "curl "[1-9]* ]]
        [ "${lines[3]}" = '{"cut":1}' ]
        [ "${lines[4]}" = "an administrator cut the flow" ]
        [[ ${lines[5]} == *error* ]]
        [ ! -e "$LAB/control" ]
        [ "$(events '[.[] | .reasons[]] | unique')" = '["cut"]' ]
}

@test "the proxy is confined: no privilege, no files, a filter; its network namespace for jobs has no way out" {
        lab_config <<<"[$plain]"
        cat >"$LAB/look" <<'END'
proxy=$(pgrep -P $PPID gbx-egress)
grep -hE '^(Uid|CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp|Groups):' /proc/$proxy/status | tr '\t\n' '  '; echo
ls /proc/$proxy/root/ | wc -l
ip route show | wc -l
END
        run -0 job sh "$LAB/look"
        [ "${lines[0]}" = "Uid: 65533 65533 65533 65533 Groups:   CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 " ]
        [ "${lines[1]}" = 0 ]
        [ "${lines[2]}" = 1 ] # the /30, no default route
}

@test "everything goes with the run, also when its starter is killed" {
        lab_config <<<"[$plain]"
        outside "$BUILD/tests/egress-lab" "$LAB/config.json" "$LAB/events" -- sh -c "readlink /proc/self/ns/net >$LAB/namespace; pgrep -P \$PPID gbx-egress >$LAB/proxy; exec sleep 100" 3>&- &
        until [ -s "$LAB/proxy" ]; do sleep 0.05; done
        kill -9 "$(ps -o ppid= -p "$(cat "$LAB/proxy")")"
        for _ in $(seq 100); do [ -d "/proc/$(cat "$LAB/proxy")" ] || break; sleep 0.02; done
        [ ! -d "/proc/$(cat "$LAB/proxy")" ]
        ! ls -l /proc/*/ns/net 2>/dev/null | grep -qF "$(cat "$LAB/namespace")" || false
}

@test "2,000 connections at a time, in bounded memory" {
        lab_config '.limits={connections:3000}' <<<"[$(jq -c '.connections=3000 | .paths=["/"]' <<<"$plain")]"
        cat >"$LAB/many.py" <<'END'
import os, resource, select, socket, subprocess
resource.setrlimit(resource.RLIMIT_NOFILE, (10000, 10000))
host, port = os.environ["GBX_PROXY"].split(":")
request = b"GET http://plain.test/v1/hello HTTP/1.1\r\nHost: plain.test\r\n\r\n"
sockets = [socket.create_connection((host, int(port))) for _ in range(2000)]
good = 0
for _ in range(2):  # twice over each: they are all alive at the same time
    for s in sockets:
        s.sendall(request)
    for s in sockets:
        data = b""
        while not data.endswith(b"hello\n"):
            part = s.recv(4096)
            if not part:
                break
            data += part
        good += data.startswith(b"HTTP/1.1 200")
proxy = subprocess.run(["pgrep", "-P", str(os.getppid()), "gbx-egress"], capture_output=True, text=True).stdout.strip()
peak = [line for line in open(f"/proc/{proxy}/status") if line.startswith("VmHWM")][0].split()[1]
print(good, peak)
END
        run -0 job /usr/bin/python3 "$LAB/many.py"
        echo "# good answers and peak KiB: $output"
        [ "${output% *}" = 4000 ]
        [ "${output#* }" -lt 120000 ]
}
