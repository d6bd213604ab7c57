# A sandbox that was prepared ahead (gbx-sandbox pool) confines like one that was not.

setup() {
        load lib/common
        only_on_host "needs python"
        dir=$(mktemp -d /var/tmp/gbx-pool-XXXXXX)
        chmod 755 "$dir"
        mkdir -p "$dir"/image/{bin,dev,proc,data,out,tmp,job,etc,sys}
        cp "$ATTACKS"/e0[1-9]_* "$ATTACKS"/e1[0-4]_* "$dir/image/bin/"
        cat >"$dir/spec" <<SPEC
{ "version": 1, "name": "pool-attack", "image": { "directory": "$dir/image" }, "argv": ["/bin/e04_namespaces"],
  "profile": "native", "mounts": [ { "target": "/out", "tmpfs": { "bytes": 65536, "inodes": 16 } } ],
  "limits": { "wall_ms": 20000, "memory_bytes": 67108864, "pids": 8, "denials": 100000 } }
SPEC
        "$GBX_SANDBOX" pool "$dir/spec" --socket "$dir/socket" --size 1 >"$dir/ready" 2>"$dir/errors" 3>&- &
        pool=$!
        for i in $(seq 100); do
                grep -q ready "$dir/ready" && return 0
                sleep 0.05
        done
        cat "$dir/errors"
        return 1
}
teardown() {
        [ -z "${pool:-}" ] || kill -9 "$pool" 2>/dev/null || true
        [ -z "${dir:-}" ] || rm -rf "$dir"
}

# One attack in one sandbox of the pool; all attempts must be there and stopped.
pooled() { # PROGRAM
        timeout 30 python3 - "$dir/socket" "$1" >"$dir/out" <<'END'
import array, json, os, socket, sys
read, write = os.pipe()
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
order = {"version": 1, "stdout": 0, "argv": ["/bin/" + sys.argv[2]]}
s.sendmsg([json.dumps(order).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [write]))])
os.close(write)
print(s.recvmsg(1 << 20, 4096)[0].decode().strip())
while block := os.read(read, 65536):
        print(block.decode(), end="")
END
        grep -E '^BREACH|"error"' "$dir/out" && return 1
        [ "$(grep -c '^stopped' "$dir/out")" -eq "$(sed -n 's/^done //p' "$dir/out")" ]
}

@test "E01 to E14 in a sandbox of a pool" {
        for program in e01_runtime_overwrite e02_descriptors e03_host_files e04_namespaces e05_mounts e07_sockets \
                e09_network e10_processes e11_host_counters e14_privilege; do
                echo "$program"
                pooled $program
        done
}
