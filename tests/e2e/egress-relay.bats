# Bytes that pass through the proxy inside the kernel: counted, limited, bounded and ended like any others.
bats_require_minimum_version 1.5.0

load ../fixtures/egress/suite

plain='{"name":"plain","scheme":"http","host":"plain.test","methods":["GET","POST","DELETE"],"paths":["/v1/"]}'
hostile=$(jq -c '.port=8000 | .paths=["/"]' <<<"$plain")
verify='{"name":"verify","scheme":"https","host":"api.test","tls":{"mode":"verify"}}'
echoes='{"name":"echo","scheme":"tcp","host":"plain.test","port":7000,"request-bytes":100000000}'

# A client that says much through a tunnel, hears it again, and says its end by half a close.
write_echo_client() {
        cat >"$LAB/echo.py" <<'END'
import hashlib, os, socket, sys, threading
host, port = os.environ["GBX_PROXY"].split(":")
s = socket.create_connection((host, int(port)))
s.sendall(b"CONNECT plain.test:7000 HTTP/1.1\r\nHost: plain.test:7000\r\n\r\n")
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += s.recv(1)
data = os.urandom(20000000)
def send():
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        reset.append(True)  # the kernel tells one of the two threads
reset = []
sender = threading.Thread(target=send)
sender.start()
got = b""
try:
    while part := s.recv(1 << 20):
        got += part
except OSError:
    reset.append(True)
sender.join()
print("reset" if reset else "end", data == got, len(got) <= int(sys.argv[1]) and data.startswith(got))
END
}

@test "a large body passes whole and is counted to the byte, while its reader stops and memory stays bounded" {
        lab_config <<<"[$plain]"
        cat >"$LAB/slow.py" <<'END'
import glob, hashlib, os, socket, subprocess, time
proxy = subprocess.run(["pgrep", "-P", str(os.getppid()), "gbx-egress"], capture_output=True, text=True).stdout.strip()
def pipes():
    return sum(os.readlink(name).startswith("pipe:") for name in glob.glob(f"/proc/{proxy}/fd/*"))
def peak():
    return int([line for line in open(f"/proc/{proxy}/status") if line.startswith("VmHWM")][0].split()[1])
host, port = os.environ["GBX_PROXY"].split(":")
before, memory = pipes(), peak()
s = socket.create_connection((host, int(port)))
s.sendall(b"GET http://plain.test/v1/large HTTP/1.1\r\nHost: plain.test\r\n\r\n")
data = b""
while len(data) < 8000000:
    data += s.recv(1 << 20)
time.sleep(0.5)
during = pipes()
while len(data.partition(b"\r\n\r\n")[2]) < 33554432:
    data += s.recv(1 << 20)
head, _, body = data.partition(b"\r\n\r\n")
s.sendall(b"GET http://plain.test/v1/hello HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n")
rest = b""
while part := s.recv(4096):
    rest += part
print(during - before, pipes() - before, peak() - memory < 4096, hashlib.sha256(body).hexdigest(), rest.endswith(b"\r\n\r\nhello\n"))
END
        run -0 job /usr/bin/python3 "$LAB/slow.py"
        echo "$output"
        [ "$output" = "2 0 True $(sha256sum <"$LAB/www/v1/large" | cut -d' ' -f1) True" ] # two ends of one pipe, then none
        [ "$(events '[.[] | select(.action == "flow.closed") | .outcome]')" = '["done","done"]' ]
        received=$(events '[.[] | select(.action == "flow.closed")][0].details.received')
        [ "$received" -gt 33554432 ] && [ "$received" -lt 33555432 ] # the body and a head
}

@test "a tunnel passes all bytes each way, counts them, and passes half a close on" {
        write_echo_client
        lab_config <<<"[$echoes]"
        run -0 job /usr/bin/python3 "$LAB/echo.py" 20000000
        [ "$output" = "end True True" ]
        [ "$(events '.[-1] | [.outcome, .details.sent, .details.received]')" = '["done",20000000,20000000]' ]
}

@test "a quota that ends in the middle lets no byte more through" {
        write_echo_client
        lab_config <<<"[$(jq -c '.["response-bytes"]=5000000' <<<"$echoes")]"
        run -0 job /usr/bin/python3 "$LAB/echo.py" 5000000
        [ "$output" = "reset False True" ]
        [ "$(events '.[-1] | [.outcome, .reasons[0], .details.received > 2000000, .details.received <= 5000000]')" = '["failed","quota",true,true]' ]
}

@test "TLS that is passed through unread arrives whole" {
        lab_config <<<"[$verify]"
        run -0 job curl -sS -o "$LAB/got" --cacert "$LAB/ca.pem" https://api.test/v1/large
        cmp "$LAB/got" "$LAB/www/v1/large"
        [ "$(events '.[-1] | [.outcome, .details.received > 33554432]')" = '["done",true]' ]
}

@test "a large response that breaks off is no whole one to the client, nor to the log" {
        lab_config <<<"[$hostile]"
        run ! job curl -sS -o "$LAB/got" http://plain.test:8000/broken-off
        [ "$(events '.[-1] | [.outcome, .reasons[0]]')" = '["failed","response"]' ]
}

@test "what a server says beyond its large response answers nothing" {
        lab_config <<<"[$hostile]"
        run -0 job curl -sS -o "$LAB/got" http://plain.test:8000/large-extra -o - http://plain.test:8000/ok
        [ "$output" = ok ]
        [ "$(stat -c %s "$LAB/got")" = 8388608 ]
}

@test "a request on a connection that the server gives up is sent once more if that is harmless, and never otherwise" {
        lab_config <<<"[$hostile]"
        rm -f "$LAB/vanished"
        run -0 job curl -sS http://plain.test:8000/vanish http://plain.test:8000/vanish
        [ "$output" = $'ok\nok' ]
        grep -qx GET "$LAB/vanished"
        run -0 job curl -sS http://plain.test:8000/vanish --next -sS -X DELETE http://plain.test:8000/vanish
        [[ $output == $'ok\n'*"response is not well-formed" ]] || { echo "$output"; false; }
        [ "$(grep -cx DELETE "$LAB/vanished")" = 1 ]
        [ "$(events '.[-1] | [.outcome, .details.method]')" = '["failed","DELETE"]' ]
}
