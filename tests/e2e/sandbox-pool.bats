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
        [[ $output == *'"syscall":"socket","arguments":[2,1,0,0,0,0],"count":1'* ]]
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
