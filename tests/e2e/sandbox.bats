#!/usr/bin/env bats
# gbx-sandbox on its own: exit codes, bad input, image files, the other commands, ordinary users.

setup() {
        build=$(realpath "${BUILD:-build}")
        sandbox=$build/gbx-sandbox
        dir=$(mktemp -d)
        chmod 755 "$dir"
        mkdir -p "$dir"/image/{bin,dev,proc,tmp,out}
        cp "$build/tests/sandbox-probe" "$dir/image/bin/probe"
        image="{\"directory\":\"$dir/image\"}"
}

teardown() {
        rm -rf "$dir"
        # What the test of ordinary users gives to nobody.
        sed -i '/^nobody:3000000000:65536$/d' /etc/subuid /etc/subgid
        find /sys/fs/cgroup -maxdepth 6 -type d -name glovebox-65534 -exec rmdir {} +
}

spec() { # NAME=JSON... (argv as words in ARGV)
        local argv="\"/bin/probe\"" word
        for word in ${ARGV:-}; do argv+=",\"$word\""; done
        echo "{\"version\":1,\"name\":\"${NAME:-t}\",\"image\":$image,\"argv\":[$argv],\"profile\":\"${PROFILE:-native}\",
              \"mounts\":${MOUNTS:-[]},\"limits\":${LIMITS:-{\"wall_ms\":5000,\"memory_bytes\":33554432,\"pids\":4\}}${MORE:-}}"
}

@test "the exit status is the job's own without --result-fd, and 0 with it" {
        ARGV="exit 7" spec >"$dir/spec"
        run "$sandbox" run "$dir/spec"
        [ "$status" -eq 7 ]
        run bash -c "'$sandbox' run - --result-fd 3 <'$dir/spec' 3>'$dir/result'"
        [ "$status" -eq 0 ]
        jq -e '.outcome == "exited" and .exit_code == 7 and .limit == null and .layers.user_namespace' "$dir/result"
}

@test "bad specs exit with 2, name the field, and start nothing" {
        check() { # MESSAGE
                run "$sandbox" run "$dir/spec"
                echo "$output"
                [ "$status" -eq 2 ]
                [[ $output == "gbx-sandbox: $1"* ]]
                [ "$(wc -l <<<"$output")" -eq 1 ]
        }
        echo '{' >"$dir/spec"
        check 'spec: not JSON'
        MORE=',"surprise":1' spec >"$dir/spec"
        check 'surprise: unknown field'
        PROFILE=none spec >"$dir/spec"
        check 'profile: there is no profile'
        LIMITS='{"wall_ms":0,"memory_bytes":33554432,"pids":4}' spec >"$dir/spec"
        check 'limits.wall_ms: 0 is not between'
        LIMITS='{"wall_ms":1,"memory_bytes":9007199254740992,"pids":4}' spec >"$dir/spec"
        check 'limits.memory_bytes: '
        MOUNTS='[{"target":"/out","later":true}]' spec >"$dir/spec"
        check 'mounts[0].later: only a pool'
        MOUNTS='[{"target":"/out","fd":0}]' spec >"$dir/spec"
        check "mounts[0] (/out): descriptor"
        run "$sandbox" run "$dir/absent"
        [ "$status" -eq 2 ]
        run "$sandbox" run
        [ "$status" -eq 2 ]
        run "$sandbox" fly
        [ "$status" -eq 2 ]
}

@test "what cannot be set up exits with 1 and names it" {
        image='{"directory":"/no/such/directory"}' spec >"$dir/spec"
        run "$sandbox" run "$dir/spec"
        [ "$status" -eq 1 ]
        [[ $output == *'image.directory: cannot open'* ]]
        spec | sed 's|/bin/probe|/bin/missing|' >"$dir/spec"
        run "$sandbox" run "$dir/spec"
        [ "$status" -eq 1 ]
        [[ $output == *"argv[0]: cannot find '/bin/missing'"* ]]
}

@test "an image whose /dev or /proc or mount point is a symlink is refused" {
        for name in dev proc out; do
                rm -rf "${dir:?}/image/$name"
                ln -s /etc "$dir/image/$name"
                MOUNTS='[{"target":"/out","tmpfs":{"bytes":65536,"inodes":8}}]' spec >"$dir/spec"
                run "$sandbox" run "$dir/spec"
                echo "$output"
                [ "$status" -eq 2 ]
                [[ $output == *"'/$name' is, or lies behind, a symlink"* ]]
                rm "$dir/image/$name"
                mkdir "$dir/image/$name"
        done
}

@test "an image without mount points is shown through a root of our own" {
        rmdir "$dir"/image/{dev,proc,tmp,out}
        ln -s bin "$dir/image/sbin"
        ARGV="list / write /deep/out/x" MOUNTS='[{"target":"/deep/out","tmpfs":{"bytes":65536,"inodes":8}}]' spec >"$dir/spec"
        run bash -c "'$sandbox' run '$dir/spec' --result-fd 3 3>'$dir/result'"
        echo "$output"
        [ "$status" -eq 0 ]
        jq -e '.layers.own_root' "$dir/result"
        for name in bin sbin dev proc deep; do [[ $output == *" $name"* ]]; done
        [[ $output == *"write /deep/out/x: ok"* ]]
        [ ! -e "$dir/image/deep" ]
}

@test "image files run, squashfs and erofs, if they have their digest" {
        mksquashfs "$dir/image" "$dir/image.squashfs" -quiet -no-progress -all-root >/dev/null
        digest=$(sha256sum "$dir/image.squashfs" | cut -d' ' -f1)
        image="{\"file\":\"$dir/image.squashfs\",\"digest\":\"sha256:$digest\"}"
        for _ in 1 2; do # the second time from the record of the first
                ARGV="exit 5" spec >"$dir/spec"
                run "$sandbox" run "$dir/spec"
                echo "$output"
                [ "$status" -eq 5 ]
        done
        printf x >>"$dir/image.squashfs"
        run "$sandbox" run "$dir/spec"
        [ "$status" -eq 1 ]
        [[ $output == *"image.digest: "*"does not have the digest"* ]]
        echo "no image" >"$dir/text"
        image="{\"file\":\"$dir/text\",\"digest\":\"sha256:$(sha256sum "$dir/text" | cut -d' ' -f1)\"}"
        spec >"$dir/spec"
        run "$sandbox" run "$dir/spec"
        [ "$status" -eq 2 ]
        [[ $output == *'neither squashfs nor erofs'* ]]
        rm -f "/run/glovebox-images/sha256:$digest"
}

@test "explain prints the sandbox and starts nothing; check and profiles answer" {
        MOUNTS='[{"target":"/out","tmpfs":{"bytes":65536,"inodes":8}}]' spec >"$dir/spec"
        run "$sandbox" explain "$dir/spec"
        [ "$status" -eq 0 ]
        for text in '/out ' 'tmpfs of 65536 bytes' 'allow read write' 'memory_bytes' 'uid 1000 inside'; do
                [[ $output == *"$text"* ]] || { echo "missing: $text"; false; }
        done
        run "$sandbox" check
        [ "$status" -eq 0 ]
        [[ $output == *'landlock'*'cgroup'* ]]
        [ "$("$sandbox" profiles | wc -l)" -ge 5 ]
        "$sandbox" profiles lua | grep -q '^default EPERM'
}

@test "options: timers that fault" {
        ARGV="exit 3" MORE=',"options":{"coarse_timers":true}' spec >"$dir/spec"
        run "$sandbox" run "$dir/spec"
        [ "$status" -eq 3 ]
        ARGV="tsc" spec >"$dir/spec"
        run "$sandbox" run "$dir/spec"
        [ "$status" -eq 0 ]
        ARGV="tsc" MORE=',"options":{"coarse_timers":true}' spec >"$dir/spec"
        run "$sandbox" run "$dir/spec"
        [ "$status" -eq 139 ]
}

# Prints the core scheduling cookie of a process (0: its own), or ends with the kernel's error number.
cookie() { # PID
        python3 - "$1" <<'END'
import ctypes, sys
PR_SCHED_CORE, GET, THREAD = 62, 0, 0
cookie = ctypes.c_ulonglong()
prctl = ctypes.CDLL(None, use_errno=True).prctl
if prctl(PR_SCHED_CORE, GET, int(sys.argv[1]), THREAD, ctypes.byref(cookie)) != 0:
        sys.exit(ctypes.get_errno())
print(cookie.value)
END
}

@test "core scheduling: refused by name where the kernel has none, nothing started" {
        status=0
        cookie 0 || status=$?
        [ "$status" -ne 0 ] || skip "this kernel has it: the next test"
        # EINVAL: not built in; ENODEV: no core has more than one thread.
        [ "$status" -eq 22 ] && reason="Invalid argument" || { [ "$status" -eq 19 ] && reason="No such device"; }
        ARGV="write /tmp/started" MOUNTS='[{"target":"/tmp","tmpfs":{"bytes":65536,"inodes":8}}]' \
                MORE=',"options":{"core_scheduling":true}' spec >"$dir/spec"
        run "$sandbox" run "$dir/spec"
        echo "$output"
        [ "$status" -eq 1 ]
        [ "$output" = "gbx-sandbox: options.core_scheduling: the kernel refuses (CONFIG_SCHED_CORE and SMT): $reason" ]
        # Control: it is the option that is refused.
        sed 's/"core_scheduling":true/"core_scheduling":false/' "$dir/spec" >"$dir/without"
        run "$sandbox" run "$dir/without"
        [ "$status" -eq 0 ]
        [[ $output == *'write /tmp/started: ok'* ]]
}

@test "core scheduling: a job has a cookie of its own, and its result says so" {
        ours=$(cookie 0) || skip "this kernel has no core scheduling (error $?): shown is the refusal, in the test before"
        ARGV="sleep 2" MORE=',"options":{"core_scheduling":true}' spec >"$dir/spec"
        "$sandbox" run "$dir/spec" --result-fd 4 4>"$dir/result" 3>&- &
        launcher=$!
        job=
        for _ in $(seq 100); do
                job=$(descendants "$launcher" | while read -r pid; do
                        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != probe ] || echo "$pid"
                done)
                [ -z "$job" ] || break
                sleep 0.02
        done
        [ -n "$job" ]
        theirs=$(cookie "$job")
        echo "cookies: ours $ours, the job's $theirs"
        [ "$theirs" != 0 ] && [ "$theirs" != "$ours" ]
        wait "$launcher"
        jq -e '.layers.core_scheduling == true and .exit_code == 0' "$dir/result"
}
descendants() { # PID
        local child
        for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
                echo "$child"
                descendants "$child"
        done
}

@test "connect is answered by whoever the spec names: a socket of his choice, or an error" {
        PROFILE=native-redirect ARGV="connect 10.1.2.3 connect 10.9.9.9" \
                MORE=',"network":{"mode":"fd","fd":NETWORK,"notify_connect_fd":CONNECT}' spec >"$dir/spec"
        run unshare -n python3 - "$sandbox" "$dir/spec" <<'END'
import array, os, socket, struct, subprocess, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
network = os.open("/proc/self/ns/net", os.O_RDONLY)
spec = open(sys.argv[2]).read().replace("NETWORK", str(network)).replace("CONNECT", str(theirs.fileno()))
job = subprocess.Popen([sys.argv[1], "run", "-"], stdin=subprocess.PIPE, pass_fds=[network, theirs.fileno()])
job.stdin.write(spec.encode())
job.stdin.close()
theirs.close()
kept = []
while True:
        request = ours.recv(4096)
        if not request:
                break
        version, sequence, size = struct.unpack_from("=III", request)
        family, port = struct.unpack_from("=H", request, 12)[0], struct.unpack_from(">H", request, 14)[0]
        address = socket.inet_ntoa(request[16:20])
        print("asked for", version, size, family == socket.AF_INET, port, address, flush=True)
        if address != "10.1.2.3":
                ours.send(struct.pack("=IIi", 1, sequence, 111))
                continue
        near, far = socket.socketpair()
        near.send(b"pong from the proxy")
        kept.append(near)
        ours.sendmsg([struct.pack("=IIi", 1, sequence, 0)],
                     [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [far.fileno()]))])
        far.close()
print("heard", kept[0].recv(10), "status", job.wait())
END
        echo "$output"
        [[ $output == *'asked for 1 16 True 80 10.1.2.3'* ]]
        [[ $output == *'connect 10.1.2.3: pong from the proxy'* ]]
        [[ $output == *'connect 10.9.9.9: Connection refused'* ]]
        [[ $output == *"heard b'ping' status 0"* ]]
        # Nobody to answer: refused by the profile, and recorded.
        PROFILE=native-redirect ARGV="connect 10.1.2.3" spec >"$dir/spec"
        run bash -c "'$sandbox' run '$dir/spec' --result-fd 3 3>'$dir/result'"
        [[ $output == *'connect 10.1.2.3: Operation not permitted'* ]]
        jq -e '.denied[0].syscall == "connect"' "$dir/result"
}

@test "gc removes the cgroups of a launcher that is gone, and those only" {
        LIMITS='{"wall_ms":20000,"memory_bytes":33554432,"pids":4}' NAME=gc-live spec | sed 's|"/bin/probe"|"/bin/probe","sleep","10"|' >"$dir/spec"
        parent=$(dirname "$(find /sys/fs/cgroup -maxdepth 6 -type d -path '*glovebox' -print -quit)/x")
        [ -d "$parent" ]
        mkdir "$parent/gbx-gc-dead-1"
        "$sandbox" run "$dir/spec" 3>&- &
        live=$!
        for _ in $(seq 50); do
                [ -n "$(find "$parent" -maxdepth 1 -name 'gbx-gc-live-*')" ] && break
                sleep 0.1
        done
        run "$sandbox" gc
        echo "$output"
        [ "$status" -eq 0 ]
        [[ $output == *"removed "*"/gbx-gc-dead-1"* ]]
        [[ $output != *gc-live* ]]
        [ ! -d "$parent/gbx-gc-dead-1" ]
        kill "$live"
        for _ in $(seq 50); do
                [ -z "$(find "$parent" -maxdepth 1 -name 'gbx-gc-live-*')" ] && break
                sleep 0.1
        done
        [ -z "$(find "$parent" -maxdepth 1 -name 'gbx-gc-live-*')" ]
}

@test "the launcher is one static file that needs nothing of the host" {
        run readelf -lW "$sandbox"
        [ "$status" -eq 0 ]
        [[ $output != *INTERP* ]]
        [[ $(readelf -dW "$sandbox") != *NEEDED* ]]
}

@test "an image that was mounted before is used by its descriptor, and stays usable" {
        cat >"$dir/with-mount" <<'PYTHON'
import ctypes, os, sys
OPEN_TREE_CLONE = 1
mount = ctypes.CDLL(None, use_errno=True).syscall(428, -100, sys.argv[1].encode(), OPEN_TREE_CLONE)
assert mount >= 0, os.strerror(ctypes.get_errno())
os.dup2(mount, 20, inheritable=True)
for status in (3, 4):
    ended = os.spawnv(os.P_WAIT, sys.argv[2], ["gbx-sandbox", "run", f"{sys.argv[3]}/spec-{status}"])
    assert ended == status, ended
PYTHON
        image='{"fd":20}'
        ARGV="exit 3" spec >"$dir/spec-3"
        ARGV="exit 4" spec >"$dir/spec-4"
        run python3 "$dir/with-mount" "$dir/image" "$sandbox" "$dir"
        echo "$output"
        [ "$status" -eq 0 ]
        image='{"fd":20}' spec >"$dir/spec"
        run bash -c "exec 20</dev/null; '$sandbox' run '$dir/spec'"
        echo "$output"
        [ "$status" -eq 2 ]
        [[ $output == *'image.fd: descriptor 20 is no mounted image'* ]]
}

@test "a mount that others made is restricted with all that lies below it, and an attached one is refused unchanged" {
        mkdir -p "$dir"/tree/sub "$dir/image/data"
        cat >"$dir/with-tree" <<'PYTHON'
import ctypes, os, sys
OPEN_TREE_CLONE, AT_RECURSIVE = 1, 0x8000
mount = ctypes.CDLL(None, use_errno=True).syscall(428, -100, sys.argv[1].encode(), OPEN_TREE_CLONE | AT_RECURSIVE)
assert mount >= 0, os.strerror(ctypes.get_errno())
os.dup2(mount, 20, inheritable=True)
os.execv(sys.argv[2], sys.argv[2:])
PYTHON
        MOUNTS='[{"target":"/data","fd":20}]' ARGV="mounts write /data/x write /data/sub/x" spec >"$dir/spec"
        run unshare -m bash -c 'mount -t tmpfs -o mode=1777 none "$1/tree" && mkdir -m 1777 "$1/tree/sub" &&
                mount -t tmpfs -o mode=1777 none "$1/tree/sub" &&
                python3 "$1/with-tree" "$1/tree" "$2" run "$1/spec"' sh "$dir" "$sandbox"
        echo "$output"
        [ "$status" -eq 0 ]
        for place in /data /data/sub; do
                attributes=$(awk -v place=$place '$5 == place { print $6 }' <<<"$output")
                for attribute in ro nosuid nodev noexec nosymfollow; do [[ ,$attributes, == *,$attribute,* ]]; done
        done
        [[ $output != *'/data/x: ok'* && $output != *'/data/sub/x: ok'* ]]

        run unshare -m bash -c 'mount -t tmpfs -o mode=1777 none "$1/tree" && exec 20<"$1/tree"
                "$2" run "$1/spec"; echo "status $?"; awk -v place="$1/tree" "\$5 == place" /proc/self/mountinfo' sh "$dir" "$sandbox"
        echo "$output"
        [[ $output == *'descriptor 20 is not a detached mount of its own'* && $output == *$'\nstatus 1\n'* ]]
        [[ $(tail -1 <<<"$output") == *"$dir/tree rw,relatime"* ]]
}

@test "closed standard descriptors and ignored signals of the caller reach no job" {
        ARGV="descriptors" MORE=',"stdout":9' spec >"$dir/spec"
        (exec 9>"$dir/out" <&- >&- 2>&- && exec "$sandbox" run "$dir/spec")
        cat "$dir/out"
        [ "$(sed -n 1p "$dir/out")" = "descriptor 0: /dev/null" ]
        [ "$(sed -n 3p "$dir/out")" = "descriptor 2: /dev/null" ]
        ARGV="exit 5" spec >"$dir/spec"
        run bash -c "trap '' CHLD; exec '$sandbox' run '$dir/spec'"
        echo "$output"
        [ "$status" -eq 5 ]
}

@test "a digest is remembered for files that only root can have changed, and for none in memory" {
        [ "$(id -u)" -eq 0 ] || skip "only root keeps records"
        kept() { # FILE: runs it, then tells whether a record was kept
                digest=$(sha256sum "$1" | cut -d' ' -f1)
                image="{\"file\":\"$1\",\"digest\":\"sha256:$digest\"}" ARGV="exit 0" spec >"$dir/spec"
                "$sandbox" run "$dir/spec" || return 2
                [ -e "/run/glovebox-images/sha256:$digest" ]
        }
        make() { date +%N >"$dir/image/bin/unique" && rm -f "$1" && mksquashfs "$dir/image" "$1" -quiet -no-progress -all-root >/dev/null; }
        memory=$(mktemp -u /dev/shm/gbx-image-XXXXXX)
        disk=$(mktemp -u /var/tmp/gbx-image-XXXXXX)
        make "$disk" && kept "$disk"
        make "$disk" && chmod 666 "$disk" && ! kept "$disk"
        make "$disk" && chown 65534 "$disk" && ! kept "$disk"
        make "$memory" && ! kept "$memory"
        rm -f "$memory" "$disk"
}

@test "an ordinary user is refused by the missing layer's name, and runs jobs when he has what it takes" {
        [ "$(id -u)" -eq 0 ] || skip "only root can prepare this"
        as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
        cp "$sandbox" "$dir/gbx-sandbox"
        ARGV="status write /out/x" MOUNTS='[{"target":"/out","tmpfs":{"bytes":65536,"inodes":8}}]' spec >"$dir/spec"
        if ! grep -q '^nobody:' /etc/subuid; then
                run as_nobody "$dir/gbx-sandbox" run "$dir/spec"
                echo "$output"
                [ "$status" -eq 1 ]
                [[ $output == *'user namespace: '* ]]
        fi
        command -v newuidmap >/dev/null || skip "newuidmap (package uidmap) is not installed"
        echo nobody:3000000000:65536 | tee -a /etc/subuid >>/etc/subgid
        run as_nobody "$dir/gbx-sandbox" run "$dir/spec"
        echo "$output"
        [ "$status" -eq 1 ]
        [[ $output == *'cgroup: '*'glovebox-65534'* ]]
        for controller in memory pids cpuacct; do
                own=$(awk -F: -v name=$controller '$2 ~ "(^|,)" name "(,|$)" { print $3 }' /proc/self/cgroup)
                [ -d "/sys/fs/cgroup/$controller" ] || skip "cgroup version 2: delegation needs a session manager"
                parent=/sys/fs/cgroup/$controller${own%/}/glovebox-65534
                mkdir "$parent"
                chown 65534 "$parent"
        done
        run as_nobody "$dir/gbx-sandbox" run "$dir/spec"
        echo "$output"
        [ "$status" -eq 0 ]
        [[ $output == *'Uid:	1000	1000'* && $output == *'Seccomp:	2'* && $output == *'write /out/x: ok'* ]]
        run as_nobody "$dir/gbx-sandbox" gc
        [ "$status" -eq 0 ]
        [ -z "$output" ]
}
