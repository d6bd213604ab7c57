#!/usr/bin/env bats
# A pool's sandboxes: made ahead, confined like any other, used once.

setup() {
        build=${BUILD:-build}
        dir=$(mktemp -d)
        mkdir -p "$dir"/image/{bin,dev,proc,data,out}
        cp "$build/tests/sandbox-probe" "$dir/image/bin/probe"
        cat >"$dir/spec.json" <<END
{"version":1,"name":"pool","image":{"directory":"$dir/image"},"argv":["/bin/probe"],"profile":"native",
 "mounts":[{"target":"/data","later":true},{"target":"/out","tmpfs":{"bytes":65536,"inodes":16}}],
 "limits":{"wall_ms":5000,"memory_bytes":33554432,"pids":4}}
END
        "$build/gbx-sandbox" pool "$dir/spec.json" --socket "$dir/socket" --size 2 >"$dir/ready" 2>"$dir/errors" 3>&- &
        pool=$!
        for _ in $(seq 100); do
                grep -q ready "$dir/ready" && return 0
                sleep 0.05
        done
        cat "$dir/errors"
        return 1
}

teardown() {
        kill -9 "$pool" 2>/dev/null || true
        rm -rf "$dir"
}

order() { # JSON [DIRECTORY-FOR-/data]: prints the result, then what the job wrote to its standard output
        python3 - "$dir/socket" "$@" <<'END'
import array, json, os, socket, sys
read, write = os.pipe()
fds = [write]
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.sendmsg([sys.argv[2].encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
message, ancillary, _, _ = s.recvmsg(1 << 20, 4096)
os.close(write)
print(message.decode().strip())
print(os.read(read, 65536).decode(), end="")
received = [fd for _, _, data in ancillary for fd in array.array("i", data)]
for fd in received:
        print("returned:", " ".join(sorted(os.listdir(os.open(".", os.O_RDONLY, dir_fd=fd)))))
END
}

@test "an order is carried out in a prepared sandbox, which is as confined as any other" {
        run order '{"version":1,"stdout":0,"argv":["/bin/probe","write","/out/x","socket","status"]}'
        echo "$output"
        [[ $output == *'"outcome":"exited","exit_code":0'* ]]
        [[ $output == *'"syscall":"socket","class":["AF_INET","SOCK_STREAM"],"count":1'* ]]
        [[ $output == *'write /out/x: ok'* ]]
        [[ $output == *'CapBnd:	0000000000000000'* ]]
        [[ $output == *'Seccomp:	2'* ]]
        [[ $output == *'NoNewPrivs:	1'* ]]
        [[ $output == *'Uid:	1000	1000'* ]]
        [[ $output == *'returned: x'* ]]
}

@test "a sandbox is used once: the next job finds no file and no count of the one before" {
        order '{"version":1,"stdout":0,"argv":["/bin/probe","write","/out/x","socket"]}' >/dev/null
        order '{"version":1,"stdout":0,"argv":["/bin/probe","write","/out/x","socket"]}' >/dev/null
        for _ in 1 2 3; do
                run order '{"version":1,"stdout":0,"argv":["/bin/probe","list","/out"]}'
                echo "$output"
                [[ $output == *'"denied":[],"denied_total":0'* ]]
                [[ $output == *'list /out:'$'\n'* ]]
        done
}

@test "orders that cannot be carried out are answered, and the pool lives on" {
        run order '{"version":1,"x":1}'
        [[ $output == *'{"error":"x: unknown field"}'* ]]
        run order '{"version":1,"stdout":1}'
        [[ $output == *'stdout: 1 is not between 0 and 0'* ]]
        run order '{"version":1,"mounts":[{"target":"/bin","fd":0}]}'
        [[ $output == *'no such'* ]]
        run order '{"version":1,"mounts":[{"target":"/data","fd":0}]}' # a pipe is no mount
        echo "$output"
        [[ $output == *'"error":"mounts (/data)'* ]]
        run order '{"version":1,"argv":["/bin/missing"]}'
        [[ $output == *"cannot find '/bin/missing'"* ]]
        run order 'nonsense'
        [[ $output == *'order: not JSON'* ]]
        run order '{"version":1,"stdout":0,"argv":["/bin/probe"]}'
        [[ $output == *'"exit_code":0'* ]]
}

@test "a pool has no network, and no order brings one: a job with flows is never run in it" {
        local network
        for network in '{"mode":"fd","fd":0}' '{"mode":"fd","fd":0,"notify_connect_fd":1}'; do
                jq -c --argjson network "$network" '.network=$network' "$dir/spec.json" >"$dir/networked.json"
                run "$build/gbx-sandbox" pool "$dir/networked.json" --socket "$dir/other" --size 1
                echo "$output"
                [ "$status" -ne 0 ]
                [[ $output == *"the sandboxes of a pool have no network"* ]]
                [ ! -S "$dir/other" ]
                run order "{\"version\":1,\"argv\":[\"/bin/probe\"],\"network\":$network}"
                [[ $output == *'{"error":"network: unknown field"}'* ]]
        done
        run order '{"version":1,"argv":["/bin/probe"],"notify_connect_fd":0}'
        [[ $output == *'{"error":"notify_connect_fd: unknown field"}'* ]]
}

@test "gbx-sandbox order runs a job in a prepared sandbox: status, standard descriptors, result" {
        sandbox=$build/gbx-sandbox
        run "$sandbox" order --socket "$dir/socket" -- /bin/probe exit 7
        echo "$output"
        [ "$status" -eq 7 ]
        run "$sandbox" order --socket "$dir/socket" -- /bin/probe status
        [ "$status" -eq 0 ]
        [[ $output == *'Seccomp:	2'* ]]
        run "$sandbox" order --socket "$dir/socket" -- /bin/missing
        echo "$output"
        [ "$status" -eq 1 ]
        [[ $output == *"cannot find '/bin/missing'"* ]]
        echo '{"version":1,"argv":["/bin/probe","list","/data"],"mounts":[{"target":"/data","fd":1}],"stdout":0}' >"$dir/order"
        mkdir "$dir/records" && touch "$dir/records/one"
        cat >"$dir/with-mount" <<'PYTHON'
import ctypes, os, sys
mount = ctypes.CDLL(None, use_errno=True).syscall(428, -100, sys.argv[1].encode(), 1)
assert mount >= 0, os.strerror(ctypes.get_errno())
os.dup2(mount, 20, inheritable=True)
os.execv(sys.argv[2], sys.argv[2:])
PYTHON
        run python3 "$dir/with-mount" "$dir/records" "$sandbox" order --socket "$dir/socket" --descriptor 1 --descriptor 20 "$dir/order"
        echo "$output"
        [ "$status" -eq 0 ]
        [[ $output == 'list /data: one' ]]
        "$sandbox" order --socket "$dir/socket" --result-fd 5 -- /bin/probe exit 3 5>"$dir/result"
        jq -e '.outcome == "exited" and .exit_code == 3 and .name == "pool"' "$dir/result"
}

@test "gbx-sandbox order: bad input is named, and nothing runs" {
        sandbox=$build/gbx-sandbox
        run "$sandbox" order --socket "$dir/none" -- /bin/probe
        [ "$status" -eq 1 ]
        [[ $output == *"cannot connect to '$dir/none' (is a"* ]]
        run "$sandbox" order --socket "$dir/socket" "$dir/no-such-order"
        [ "$status" -eq 2 ]
        [[ $output == *"order '$dir/no-such-order'"* ]]
        run "$sandbox" order --socket "$dir/socket" --descriptor 77 "$dir/spec.json"
        [ "$status" -eq 2 ]
        [[ $output == *"--descriptor: '77' is not an open descriptor"* ]]
        for arguments in "" "--socket $dir/socket" "-- /bin/probe" "--socket $dir/socket --surprise 1 x"; do
                # shellcheck disable=SC2086
                run "$sandbox" order $arguments
                [ "$status" -eq 2 ]
                [[ $output == usage:* ]]
        done
}

@test "a pool takes no socket that is open to everybody, no file's place, no listener that is none" {
        sandbox=$build/gbx-sandbox
        run "$sandbox" pool "$dir/spec.json" --socket ""
        [ "$status" -eq 2 ]
        [[ $output == *"--socket: '' is not a path"* ]]
        echo kept >"$dir/file"
        run "$sandbox" pool "$dir/spec.json" --socket "$dir/file"
        echo "$output"
        [ "$status" -eq 1 ]
        [ "$(cat "$dir/file")" = kept ]
        run timeout 5 "$sandbox" pool "$dir/spec.json" --socket "$dir/socket" # a living pool's
        echo "$output"
        [ "$status" -eq 1 ]
        run "$sandbox" order --socket "$dir/socket" -- /bin/probe exit 4
        [ "$status" -eq 4 ]
        run timeout 5 "$sandbox" pool "$dir/spec.json" --listen-fd 0 </dev/null
        [ "$status" -eq 2 ]
        [[ $output == *"--listen-fd: descriptor 0 is not a listening"* ]]
        sed 's|"tmpfs":{[^}]*}|"directory":"/tmp","writable":true|' "$dir/spec.json" >"$dir/shared.json"
        run timeout 5 "$sandbox" pool "$dir/shared.json" --socket "$dir/other"
        echo "$output"
        [ "$status" -eq 2 ]
        [[ $output == *"mounts[1].writable"* ]]
}

@test "a client that stays silent loses its sandbox, not the pool" {
        python3 - "$dir/socket" <<'PYTHON'
import socket, sys, time
began = time.monotonic()
silent = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(4)]
for s in silent:
    s.connect(sys.argv[1])
answers = [s.recv(4096) for s in silent]
assert all(b"no order came within 10 s" in a for a in answers), answers
assert time.monotonic() - began < 60
PYTHON
        run "$build/gbx-sandbox" order --socket "$dir/socket" -- /bin/probe exit 4
        [ "$status" -eq 4 ]
}

@test "a job ends with the client that ordered it" {
        "$build/gbx-sandbox" order --socket "$dir/socket" -- /bin/probe sleep 60000 3>&- &
        client=$!
        for _ in $(seq 100); do
                pgrep -f '^/bin/probe sleep 60000' >/dev/null && break
                sleep 0.05
        done
        pgrep -f '^/bin/probe sleep 60000'
        kill -9 "$client"
        for _ in $(seq 40); do
                pgrep -f '^/bin/probe sleep 60000' >/dev/null || break
                sleep 0.05
        done
        ! pgrep -f '^/bin/probe sleep 60000' || false
}

victim() { # guard|init|job: prints a process of one waiting sandbox
        local launcher child job
        for launcher in $(pgrep -P "$pool"); do
                for child in $(pgrep -P "$launcher"); do
                        job=$(pgrep -P "$child" || true)
                        case $1 in
                        guard) [ -n "$job" ] || { echo "$child" && return; } ;;
                        init) [ -z "$job" ] || { echo "$child" && return; } ;;
                        job) [ -z "$job" ] || { echo "$job" && return; } ;;
                        esac
                done
        done
        return 1
}

@test "a waiting sandbox that loses its guard, its init or its job's process is replaced before anybody is given it" {
        for what in guard init job; do
                one=$(victim "$what")
                launcher=$(ps -o ppid= "$one" | tr -d ' ')
                kill -9 "$one"
                for _ in $(seq 100); do
                        kill -0 "$launcher" 2>/dev/null || break
                        sleep 0.05
                done
                ! kill -0 "$launcher" 2>/dev/null || return 1
                for _ in 1 2 3 4; do
                        run order '{"version":1,"stdout":0,"argv":["/bin/probe","list","/out"]}'
                        echo "$what: $output"
                        [[ $output == *'"outcome":"exited","exit_code":0'* ]]
                done
        done
        [ "$(grep -c 'a process of a waiting sandbox was killed' "$dir/errors")" -eq 3 ]
}

@test "a job's process killed while its sandbox is prepared is missed at once" {
        GBX_SANDBOX_STOP=confined "$build/tests/gbx-sandbox-switches" pool "$dir/spec.json" --socket "$dir/other" --size 1 \
                >/dev/null 2>"$dir/errors" 3>&- &
        kill -9 "$pool"
        pool=$!
        for _ in $(seq 100); do
                one=$(victim job) && [[ $(ps -o stat= "$one") == T* ]] && break
                sleep 0.05
        done
        [[ $(ps -o stat= "$one") == T* ]]
        kill -9 "$one"
        run timeout 5 tail --pid="$pool" -f /dev/null
        cat "$dir/errors"
        [ "$status" -eq 0 ]
        grep -q "the job's process was killed before it had an order" "$dir/errors"
        grep -q "the pool's sandboxes cannot be prepared" "$dir/errors"
}

@test "a killed pool leaves no process and no cgroup" {
        order '{"version":1}' >/dev/null
        kill -9 "$pool"
        for _ in $(seq 100); do
                left=$(pgrep -f "$dir/socket" || true)
                [ -z "$left" ] && break
                sleep 0.05
        done
        [ -z "$left" ]
        [ -z "$(find /sys/fs/cgroup -maxdepth 5 -type d -name 'gbx-pool-*' 2>/dev/null)" ]
}
