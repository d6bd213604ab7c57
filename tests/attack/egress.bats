# E09, E22: ways around the egress proxy. The attacker has every privilege in the job's network namespace (a real job
# has none), and each group has a positive control that shows the test could have seen a success.

bats_require_minimum_version 1.5.0

load ../fixtures/egress/suite

setup() {
        lab_setup
        : >"$LAB/reached"
        : >"$LAB/requests"
        : >"$LAB/asked"
        lab_config "${limits:-.}" <<<"$rules"
}

# Nobody got to a place that no rule names.
untouched() { ! grep -q TRAP "$LAB/reached"; }
# The last job's records have this reason; none of its flows ended well.
refused() { # REASON
        [ "$(events '[.[] | select(.action != "flow.opened") | .reasons[0]] | unique')" = "[\"$1\"]" ] || { cat "$LAB/events"; return 1; }
}
# Raw bytes to the proxy.
raw() { job /usr/bin/python3 tests/fixtures/egress/raw.py "$@"; }

hop='"breaker-failures":0'
rules='[{"name":"hostile","scheme":"http","host":"hostile.test","port":8000,"methods":["GET","POST"],"paths":["/"],'$hop'},
 {"name":"plain","scheme":"http","host":"plain.test","paths":["/v1/"],"methods":["GET","POST"],'$hop'},
 {"name":"verify","scheme":"https","host":"api.test","tls":{"mode":"verify"},'$hop'},
 {"name":"inspect","scheme":"https","host":"mtls.test","tls":{"mode":"inspect"},"paths":["/v1/"],'$hop'},
 {"name":"selfsigned","scheme":"https","host":"api.test","port":445,"tls":{"mode":"verify"},'$hop'},
 {"name":"othername","scheme":"https","host":"api.test","port":446,"tls":{"mode":"inspect"},'$hop'},
 {"name":"names","scheme":"http","host":"*.wild.test","names":2,'$hop'},
 {"name":"loopback","scheme":"http","host":"loopback.test","port":8000,'$hop'},
 {"name":"metadata","scheme":"http","host":"metadata.test",'$hop'},
 {"name":"private","scheme":"http","host":"private.test",'$hop'},
 {"name":"zero","scheme":"http","host":"zero.test",'$hop'},
 {"name":"mixed","scheme":"http","host":"mixed.test",'$hop'},
 {"name":"rebind","scheme":"http","host":"rebind.test","port":8000,'$hop'},
 {"name":"literal","scheme":"http","host":"127.0.0.1","port":8000,'$hop'},
 {"name":"echo","scheme":"tcp","host":"plain.test","port":7000,'$hop'}]'

@test "control: what the rules allow gets through this very set-up" {
        run -0 job curl -sS http://hostile.test:8000/ok
        [ "$output" = ok ]
        run -0 raw 'GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\nConnection: close\r\n\r\n'
        [[ $output == "HTTP/1.1 200"*ok* ]]
        run -0 outside curl -sS http://127.0.0.1:8000/
        grep -q TRAP "$LAB/reached" # the trap snaps when somebody does reach it
}

# --- the network itself ------------------------------------------------------

@test "no way past the proxy by address: host loopback, metadata, neighbours, the peers themselves" {
        run job /usr/bin/python3 -c '
import socket
reached = []
for host in ("127.0.0.1", "169.254.169.254", "10.0.0.1", "93.184.216.34", "10.255.255.53", "192.0.2.2", "10.201.0.1", "10.201.7.2", "8.8.8.8"):
    for port in (22, 53, 80, 443, 8000):
        try:
            socket.create_connection((host, port), timeout=0.3)
            reached.append((host, port))
        except OSError:
            pass
print(reached)'
        [ "$output" = "[]" ]
        untouched
}

@test "the gateway has one open port, and forwards nothing even with a route through it" {
        run job sh -c 'ip route add default via $GBX_GATEWAY; /usr/bin/python3 - <<END
import os, socket, concurrent.futures
gateway = os.environ["GBX_GATEWAY"]
def open_port(port):
    try:
        socket.create_connection((gateway, port), timeout=2).close()
        return port
    except OSError:
        return None
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    print([port for port in pool.map(open_port, list(range(1, 4096)) + [8080, 9090, 8443, 31337]) if port])
for target in ("93.184.216.34", "127.0.0.1", "169.254.169.254"):
    try:
        socket.create_connection((target, 80), timeout=0.5)
        print("REACHED", target)
    except OSError:
        pass
END'
        [ "$output" = "[3128]" ]
        untouched
}

@test "no UDP, no DNS, no ICMP, no raw IP, no IPv6, no multicast" {
        run job sh -c 'ip route add default via $GBX_GATEWAY; /usr/bin/python3 - <<END
import os, socket, struct
gateway = os.environ["GBX_GATEWAY"]
got = []
def attempt(name, function):
    try:
        if function():
            got.append(name)
    except OSError:
        pass
def udp(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.3)
    s.sendto(b"\\x12\\x34\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0\\x05leaky\\x04test\\0\\0\\x01\\0\\x01", address)
    return s.recv(512)
for host in (gateway, "127.0.0.53", "93.184.216.34", "8.8.8.8", "224.0.0.251", "255.255.255.255"):
    attempt("udp " + host, lambda: udp((host, 53)))
def icmp(host):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); s.settimeout(0.3)
    s.sendto(b"\\x08\\0\\xf7\\xff\\0\\0\\0\\0", (host, 0))
    while True:
        packet, peer = s.recvfrom(512)
        if packet[20] == 0:  # an echo reply
            return True
for host in (gateway, "93.184.216.34"):
    attempt("icmp " + host, lambda: icmp(host))
def raw_syn():
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253); s.settimeout(0.3)
    s.sendto(b"payload", ("93.184.216.34", 0))
    return s.recv(512)
attempt("raw", raw_syn)
def six(address):
    s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM); s.settimeout(0.3)
    return s.connect(address) is None
attempt("six link", lambda: six(("fe80::1", 3128, 0, 2)))
attempt("six mapped", lambda: six(("::ffff:93.184.216.34", 80)))
attempt("six global", lambda: six(("2606:4700::1111", 80)))
attempt("unix", lambda: [s := socket.socket(socket.AF_UNIX), s.connect("\\0lab-abstract")][1] is None)
print(got)
END
ip -6 address | wc -l'
        [ "$output" = $'[]\n0' ]
        ! grep -q leaky "$LAB/asked" || false
        untouched
}

@test "two runs cannot reach each other" {
        outside "$BUILD/tests/egress-lab" "$LAB/config.json" "$LAB/events2" -- sh -c 'ip -4 -o address show dev job0 >'"$LAB"'/other; exec python3 -m http.server 9000' >/dev/null 2>&1 3>&- &
        other=$!
        until [ -s "$LAB/other" ]; do sleep 0.05; done
        address=$(sed -E 's/.*inet ([0-9.]+).*/\1/' "$LAB/other")
        run job sh -c "ip route add default via \$GBX_GATEWAY; curl -s --noproxy '*' --max-time 1 http://$address:9000/ && echo REACHED; curl -s --max-time 2 -o /dev/null -w '%{http_code}' http://$address:9000/"
        pkill -f "$LAB/events2" # the function's child, not the shell that waits for it
        wait $other || true
        [ "$output" = 403 ]
}

# --- where to ----------------------------------------------------------------

@test "hosts, ports, schemes and address spellings that no rule names" {
        for url in http://evil.test/ http://plain.test:81/v1/x http://127.0.0.1/ http://169.254.169.254/ http://127.1:8000/ http://2130706433:8000/ \
                http://0x7f000001:8000/ http://0177.0.0.1:8000/ http://localhost:8000/ "http://[::1]:8000/" "http://[::ffff:127.0.0.1]:8000/" \
                http://plain.test.evil.test/v1/ http://evil.test/v1/plain.test http://93.184.216.34/v1/hello http://10.201.0.1:3128/; do
                run job curl -s -g -o "$LAB/body" -w '%{http_code}' "$url"
                [ "$output" = 403 ] || [ "$output" = 400 ] || { echo "$url: $output"; false; }
        done
        untouched
        [ ! -s "$LAB/asked" ] # and no name was asked of DNS: there is no tunnel through it
}

@test "names that resolve to the host's loopback, metadata service or private network" {
        for host in loopback.test:8000 metadata.test private.test zero.test mixed.test; do
                run job curl -sS "http://$host/"
                [ "$output" = "the host resolves to an address that is not allowed" ]
                refused address
        done
        run job curl -sS http://127.0.0.1:8000/ # named by a rule, but not by its addresses
        refused address
        untouched
}

@test "DNS rebinding: the second answer is checked like the first" {
        run job sh -c 'curl -sS http://rebind.test:8000/ok; sleep 1.2; curl -sS http://rebind.test:8000/ok'
        [ "$output" = $'ok\nthe host resolves to an address that is not allowed' ]
        untouched
}

@test "a redirect to a forbidden place is followed to a refusal" {
        run job curl -sSL http://hostile.test:8000/redirect
        [[ $output == *"not allowed"* ]]
        untouched
}

@test "a wildcard does not become a channel of names" {
        run job sh -c 'for n in a b c d e; do curl -s -o /dev/null -w "%{http_code} " http://$n.wild.test/v1/hello; done'
        [[ $output == "200 200 429 429 429"* ]]
        [ "$(sort -u "$LAB/asked" | tr '\n' ' ')" = "a.wild.test b.wild.test " ]
}

# --- HTTP --------------------------------------------------------------------

@test "methods and paths: other method, dot segments, escapes, prefixes of a prefix" {
        for request in 'DELETE http://plain.test/v1/hello' 'TRACE http://plain.test/v1/' 'OPTIONS http://plain.test/v1/' 'GET http://plain.test/hidden' \
                'GET http://plain.test/v1/../hidden' 'GET http://plain.test/v1/%2e%2e/hidden' 'GET http://plain.test/v1/..%2fhidden' 'GET http://plain.test/v1%2f..%2fhidden' \
                'GET http://plain.test/v1/%252e%252e/hidden' 'GET http://plain.test/v1/..;/hidden' 'GET http://plain.test/v1/..\\hidden' 'GET http://plain.test/v1' \
                'GET http://plain.test/v1x/hidden' 'GET http://plain.test//v1/hello' 'GET /v1/hello'; do
                run raw "$request"' HTTP/1.1\r\nHost: plain.test\r\n\r\n'
                [[ $output == "HTTP/1.1 40"* && $output != *hidden$'\n'* ]] || { echo "$request: $output"; false; }
        done
        run raw 'GET http://plain.test/v1/hello HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n'
        [[ $output == "HTTP/1.1 200"*hello* ]]
}

@test "one request that two readers would take for two: every kind of smuggling" {
        local head='POST http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\n' second='GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
        for framing in 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n' \
                'Content-Length: 0\r\nContent-Length: 44\r\n\r\n' 'Content-Length: 0, 44\r\n\r\n' 'Content-Length: +0\r\n\r\n' 'Content-Length: 0x0\r\n\r\n' \
                'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n' 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n' 'Transfer-Encoding: identity\r\n\r\n' \
                'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n' 'Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n' 'X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n' \
                'X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' 'X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' 'Transfer-Encoding: chunked\r\n\r\n0;x\r\n\r\n' \
                'Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n' 'Transfer-Encoding: chunked\r\n\r\n00000000000000000\r\n\r\n' 'Transfer-Encoding: chunked\r\n\r\n0\n\n' \
                'Transfer-Encoding: chunked\r\n\r\n1\r\nZZ\r\n0\r\n\r\n' 'Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n'; do
                : >"$LAB/requests"
                run raw "$head$framing$second"
                [[ $output == *"HTTP/1.1 400"* ]] || { echo "$framing: $output"; false; }
                ! grep -q smuggled "$LAB/requests" || false
        done
        # Control: a second request over the same connection is judged by itself.
        run raw "$head"'Content-Length: 0\r\n\r\nGET http://plain.test/hidden HTTP/1.1\r\nHost: plain.test\r\n\r\n'
        [[ $output == "HTTP/1.1 200"*"HTTP/1.1 403"* ]]
}

@test "headers that lie: Host, absolute target, user in the target, hop-by-hop, control bytes" {
        for request in 'GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: plain.test' 'GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\nHost: evil.test' \
                'GET http://hostile.test:8000@evil.test/ok HTTP/1.1\r\nHost: evil.test' 'GET http://evil.test#@hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000' \
                'GET http://hostile.test:8000/ok HTTP/1.1' 'GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\nX: a\0b' \
                'GET http://hostile.test:8000/ok HTTP/1.1\r\nHost : hostile.test:8000' 'GET http://hostile.test:8000/ok HTTP/1.0\r\nHost: hostile.test:8000' \
                'GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\nX\x00: y' 'GET  http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000'; do
                run raw "$request"'\r\n\r\n'
                [[ $output == "HTTP/1.1 4"* ]] || { echo "$request: $output"; false; }
        done
        [ ! -s "$LAB/requests" ]
        run -0 job curl -sS -H 'Connection: x-secret' -H 'X-Secret: 1' -H 'Proxy-Authorization: Basic x' -H 'X-Forwarded-For: 127.0.0.1' http://hostile.test:8000/ok
        ! grep -qi -e x-secret -e proxy -e forwarded "$LAB/requests" || false
        grep -q "^host: hostile.test:8000" "$LAB/requests"
}

@test "other protocols over an allowed connection: Upgrade, WebSocket, h2c, the HTTP/2 preface, TLS, garbage" {
        run raw 'GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n'
        [[ $output == *"glovebox-refusal: upgrade"* ]]
        run raw 'GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n'
        [[ $output == *"glovebox-refusal: upgrade"* ]]
        run raw 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
        [[ $output == *"glovebox-refusal: syntax"* ]]
        run raw '\x16\x03\x01\x00\x05hello\r\n\r\n'
        [[ $output == *"glovebox-refusal: syntax"* ]]
        run raw '\x04\x01\x00\x50\x7f\x00\x00\x01\x00' # SOCKS 4
        [[ $output != *"Z"* ]]
        run raw '\x05\x01\x00' '\x05\x02\x00\x01\x7f\x00\x00\x01\x1f\x40' # BIND
        [[ $output == *$'\x05\x07'* ]] # command not supported
        run raw '\x05\x01\x00' '\x05\x03\x00\x01\x7f\x00\x00\x01\x1f\x40' # UDP ASSOCIATE
        [[ $output == *$'\x05\x07'* ]]
        [ ! -s "$LAB/requests" ]
}

@test "CONNECT and SOCKS to loopback, to the proxy itself, to other ports, and HTTP inside a tunnel for TLS" {
        for target in 127.0.0.1:8000 localhost:8000 loopback.test:22 api.test:22 api.test:80 evil.test:443 "[::1]:8000" 10.201.0.1:3128 169.254.169.254:80; do
                run raw "CONNECT $target"' HTTP/1.1\r\nHost: '"$target"'\r\n\r\n' 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
                [[ $output == "HTTP/1.1 4"* ]] || [[ $target == 127.0.0.1:8000 && $output == *"glovebox-refusal"* ]] || { echo "$target: $output"; false; }
        done
        for bytes in '\x01\x7f\x00\x00\x01\x00\x16' '\x01\xa9\xfe\xa9\xfe\x00\x50' '\x03\x09localhost\x1f\x40' '\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1f\x40'; do
                run raw '\x05\x01\x00' '\x05\x01\x00'"$bytes"
                [[ $output == *$'\x05\x02'* || $output == *"<closed>"* ]] || { echo "$bytes: $output"; false; }
        done
        run raw 'CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n' 'GET /hidden HTTP/1.1\r\nHost: api.test\r\n\r\n'
        [[ $output != *hidden* ]]
        refused hello
        untouched
}

# --- TLS ---------------------------------------------------------------------

@test "the server name must be the target: other name, none, address, encrypted hello; fragments are put together" {
        local connect='CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n'
        run raw --hello evil.test "$connect"
        refused disagree
        run raw --no-name "$connect"
        refused hello
        run raw --hello api.test --ech "$connect"
        refused hello
        run raw --hello evil.test --fragment 7 "$connect"
        refused disagree
        run raw --hello api.test --fragment 7 "$connect" # control: cut up, but right
        [ "$(events '[.[].action]')" = '["flow.opened","flow.closed"]' ]
        run raw --hello api.test.evil.test "$connect"
        refused disagree
}

@test "domain fronting: inside an inspected tunnel, Host must be the tunnel's host" {
        cat >"$LAB/front.py" <<'END'
import http.client, os, ssl, sys
proxy, port = os.environ["GBX_PROXY"].split(":")
context = ssl.create_default_context(cafile=os.environ["LAB"] + "/site.pem")
connection = http.client.HTTPSConnection(proxy, int(port), context=context)
connection.set_tunnel("mtls.test", 443)
for host, path in (("evil.test", "/v1/hello"), ("mtls.test", "/hidden"), ("mtls.test:444", "/v1/hello"), ("mtls.test", "http://evil.test/v1/hello")):
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    response = connection.getresponse()
    response.read()
    print(response.status, response.getheader("glovebox-refusal"))
    connection.close()
    connection.set_tunnel("mtls.test", 443)
END
        run -0 job /usr/bin/python3 "$LAB/front.py"
        [ "$output" = $'421 disagree\n403 path\n421 disagree\n421 disagree' ]
}

@test "certificates: self-signed, of another name, by an unknown CA" {
        run job curl -sSk https://api.test:445/
        [ "$status" -ne 0 ]
        refused certificate
        run job curl -sSk https://api.test:446/
        [[ $output == *"certificate of the host is not valid"* ]]
        refused certificate
        lab_config 'del(.trust)' <<<"$rules" # now the outside CA is unknown
        run job curl -sSk https://api.test/v1/hello
        [ "$status" -ne 0 ]
        refused certificate
}

# --- size and time -----------------------------------------------------------

@test "huge heads, lines, bodies and header counts" {
        for program in 'print("GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\nX: " + "y" * 9000 + "\r\n\r\n")' \
                'print("GET http://hostile.test:8000/" + "y" * 9000 + " HTTP/1.1\r\nHost: hostile.test:8000\r\n\r\n")' \
                'print("GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\n" + "X: y\r\n" * 101 + "\r\n")' \
                'print("GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\n" + "X: yyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 20000)'; do
                run raw "$(python3 -c "$program" | head -c 100000 | tr -d '\n' | sed 's/\r/\\r\\n/g')"
                [[ $output == "HTTP/1.1 4"* ]] || { echo "${output:0:200}"; false; }
        done
        run job curl -sS -o "$LAB/body" -w '%{http_code}' --data-binary "@$LAB/www/v1/large" -H 'Expect:' http://hostile.test:8000/ok
        [[ $output == *413* || $output == *55* ]]
        run job curl -sS -o "$LAB/body" -w '%{http_code}' -T "$LAB/www/v1/large" -X POST -H 'Transfer-Encoding: chunked' -H 'Expect:' http://hostile.test:8000/ok
        [[ $output == *413* || $output == *55* || $output == *56* ]]
        [ ! -s "$LAB/requests" ] || ! grep -q 33554432 "$LAB/requests"
}

@test "slow trickles: a head that never ends, a body that drips, a server that drips or says nothing" {
        lab_config '.limits={"head-ms":600,"idle-ms":800,"connect-ms":1000,"duration-ms":2500}' <<<"$rules"
        run raw --wait 5 --slow 0.1 'GET http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\n\r\n'
        [[ $output == *"glovebox-refusal: slow"* || $output == *"<reset>"* ]]
        refused slow
        run raw --wait 5 '\x05\x01\x00' '\x05'
        refused slow
        run raw --wait 5 'CONNECT api.test:443 HTTP/1.1\r\nHost: api.test\r\n\r\n' '\x16\x03\x01'
        refused slow
        run raw --wait 5 'POST http://hostile.test:8000/ok HTTP/1.1\r\nHost: hostile.test:8000\r\nContent-Length: 1000\r\n\r\n'
        refused timeout
        run job curl -s -o "$LAB/body" http://hostile.test:8000/slow
        refused timeout
        run job curl -s -o "$LAB/body" http://hostile.test:8000/silent
        refused timeout
}

@test "responses that lie: framing, lengths, switches, floods of headers, NUL, trailers, answers nobody asked for" {
        for path in both twolengths switch badchunk trailer barelf nul manyheaders hugeheader garbage; do
                run job curl -s -o "$LAB/body" "http://hostile.test:8000/$path"
                refused response || { echo "$path"; false; }
                ! grep -q -e "secret channel" -e Secret "$LAB/body" || false
        done
        run job curl -s -o "$LAB/body" http://hostile.test:8000/short
        [ "$status" -ne 0 ] # a break looks like a break, not like an end
        run -0 job curl -s http://hostile.test:8000/extra http://hostile.test:8000/ok
        [[ $output != *queued* ]]
        run -0 job curl -sS http://hostile.test:8000/early http://hostile.test:8000/close
        [ "$output" = $'ok\nuntil close' ]
        lab_config <<<"$(jq -c '.[0]["response-types"]=["application/json"]' <<<"$rules")"
        run job curl -s -o "$LAB/body" http://hostile.test:8000/html
        refused response-type
}

@test "an endless response ends at its quota, and memory stays small" {
        lab_config <<<"$(jq -c '.[0]["response-bytes"]=50000000' <<<"$rules")"
        run job sh -c "curl -s --max-time 20 http://hostile.test:8000/endless | wc -c; grep -h VmHWM /proc/\$(pgrep -P \$PPID gbx-egress)/status"
        [ "${lines[0]}" -le 50000000 ]
        [ "$(tr -dc 0-9 <<<"${lines[1]}")" -lt 40000 ]
        [ "$(events '.[-1].reasons')" = '["quota"]' ]
}

@test "refusals do not flood the log, and hammering opens the breaker" {
        lab_config '.limits={failures:300}' <<<"$rules"
        run job /usr/bin/python3 -c '
import os, socket
host, port = os.environ["GBX_PROXY"].split(":")
for i in range(1500):
    s = socket.create_connection((host, int(port)))
    s.sendall(b"GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n")
    s.recv(4096)
    s.close()
s = socket.create_connection((host, int(port)))
s.sendall(b"GET http://plain.test/v1/hello HTTP/1.1\r\nHost: plain.test\r\n\r\n")
print(s.recv(4096).decode())'
        [[ $output == *"glovebox-refusal: breaker"* ]]
        [ "$(wc -l <"$LAB/events")" -lt 400 ]
}

@test "killing the proxy ends flows and opens nothing" {
        run job sh -c 'kill -9 $(pgrep -P $PPID gbx-egress); sleep 0.2; curl -s --max-time 1 http://plain.test/v1/hello && echo THROUGH; ip route add default via $GBX_GATEWAY; curl -s --noproxy "*" --max-time 1 http://93.184.216.34/v1/hello && echo THROUGH; exit 0'
        [[ $output != *THROUGH* ]]
        untouched
}
