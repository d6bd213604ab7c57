# E13: what wants too much ends at the limit that the result names, and leaves nothing running.
# `plain` prints what the program said and then the result, in one line of JSON.

setup() {
        load lib/common
}

bomb() { # EXPECTED-OUTCOME MODE [option]...
        local expected=$1 mode=$2
        shift 2
        attack plain --expect "$expected" --limit wall_ms=20000 --limit memory_bytes=$((64 << 20)) "$@" e13_bombs "$mode" \
                >"$BATS_TEST_TMPDIR/out" || {
                cut -c1-2000 "$BATS_TEST_TMPDIR/out"
                return 1
        }
}
said() {
        grep -qE "^reached $1" "$BATS_TEST_TMPDIR/out" || {
                cut -c1-2000 "$BATS_TEST_TMPDIR/out"
                return 1
        }
}

@test "E13 a fork bomb ends at the limit on processes" {
        bomb limit:pids fork --limit pids=16
        said 'processes (1[0-5]) EAGAIN'
}
@test "E13 threads count as processes" {
        bomb exited:0 threads --limit pids=16 --profile native-threads
        said 'threads (1[0-5]) EAGAIN'
}
@test "E13 anonymous memory ends at the limit on memory" {
        bomb limit:memory memory
}
@test "E13 locked memory ends at the limit on locking or on memory" {
        bomb exited:0 locked-memory
        said 'locked 0 (EAGAIN|ENOMEM|EPERM)'
}
@test "E13 files in /tmp end at the size of its file system" {
        bomb exited:0 memory-tmp
        said 'mebibytes 16 ENOSPC'
}
@test "E13 files in /out end at the limit on one file" {
        bomb exited:0 file --limit file_bytes=$((4 << 20))
        said 'mebibytes 4 EFBIG'
}
@test "E13 files in /tmp count as memory" {
        attack plain --expect limit:memory --limit wall_ms=20000 --limit memory_bytes=$((32 << 20)) \
                --spec '{"mounts": [{"target": "/tmp", "tmpfs": {"bytes": 268435456, "inodes": 64}},
                                    {"target": "/job", "directory": "'"$(realpath "$ATTACKS")"'", "executable": true}]}' \
                e13_bombs memory-tmp
}
@test "E13 pipes end at the limit on descriptors, and their pages at the limit on memory" {
        bomb exited:0 pipes --limit open_files=32
        said 'pipes 1[0-9] EMFILE'
        bomb limit:memory pipes --limit open_files=512 --limit memory_bytes=$((8 << 20))
}
@test "E13 inodes end at the limit of the file system" {
        bomb exited:0 inodes
        said 'inodes (10[0-2][0-9]) ENOSPC'
}
@test "E13 descriptors end at their limit" {
        bomb exited:0 descriptors --limit open_files=32
        said 'descriptors 29 EMFILE'
}
@test "E13 a flood of output is taken until the CPU or the wall clock ends it" {
        started=$(date +%s)
        bomb limit:wall,cpu flood --limit wall_ms=1000 --limit cpu_ms=1000
        [ $(($(date +%s) - started)) -le 10 ]
}
@test "E13 a spin ends at the limit on CPU time" {
        bomb limit:cpu spin --limit cpu_ms=300
}
@test "E13 a spin under a share of a processor gets that share and no more" {
        milliseconds() {
                sed -nE "s/.*\"$1\":([0-9]+).*/\1/p" "$BATS_TEST_TMPDIR/out" | tail -1
        }
        bomb limit:wall spin-children --limit wall_ms=2000 --limit cpu_ms=60000
        [ "$(milliseconds cpu_ms)" -ge 600 ] # no cap: what the machine has to give
        bomb limit:wall spin-children --limit wall_ms=2000 --limit cpu_ms=60000 --limit cpu_percent=10
        cat "$BATS_TEST_TMPDIR/out" | cut -c1-300
        [ "$(milliseconds cpu_ms)" -ge 50 ]
        [ "$(milliseconds cpu_ms)" -le 400 ]
}
@test "E13 CPU time of children counts" {
        bomb limit:cpu spin-children --limit cpu_ms=600
}
@test "E13 sleeping ends at the wall clock" {
        bomb limit:wall sleep --limit wall_ms=400
}
@test "E13 ignoring every signal does not help" {
        bomb limit:wall ignore-term --limit wall_ms=400
}
@test "E13 a daemon does not outlive its run" {
        bomb exited:0 daemon
        said daemon
        sleep 0.1
        ! grep -lz "^/job/e13_bombs" /proc/[0-9]*/cmdline 2>/dev/null || false
}
@test "E13 an endless recursion is the job's own end" {
        bomb signaled:11 stack
}
@test "E13 a flood of refused system calls ends the run" {
        attack plain --expect limit:denials --limit denials=10 e07_sockets
}
@test "E13 with no cgroup, rlimits and the wall clock still end a job" {
        attack plain --without cgroup --expect exited --limit wall_ms=5000 --limit open_files=32 e13_bombs descriptors
        attack plain --without cgroup --expect limit:wall --limit wall_ms=300 e13_bombs sleep
}
