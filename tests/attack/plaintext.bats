# E12: what is in a job's memory is nowhere else.

setup() {
        load lib/common
        marker="GBX+MARKER+5eed5eed"
        out=$BATS_TEST_TMPDIR/out
        mkdir -m 1777 "$out"
        chmod 755 "$BATS_TEST_TMPDIR"
}

# A run whose /out is a directory of the host, to see what a dying job leaves there.
crash_inside() { # SIGNAL [option]...
        local signal=$1
        shift
        attack plain "$@" --spec '{"mounts": [{"target": "/out", "directory": "'"$out"'", "writable": true},
                {"target": "/job", "directory": "'"$(realpath "$ATTACKS")"'", "executable": true},
                {"target": "/tmp", "tmpfs": {"bytes": 67108864, "inodes": 64}}]}' \
                e12_plaintext crash="$signal" dir=/out
}

@test "E12 core dumps can be had outside" {
        outside e12_plaintext
}
@test "E12 core dumps cannot be had" {
        inside e12_plaintext
        inside --profile lua e12_plaintext
}
@test "E12 a crash outside leaves the marker in a core file" {
        case $(cat /proc/sys/kernel/core_pattern) in /* | \|*) skip "core files of this host go elsewhere" ;; esac
        (ulimit -c unlimited && exec "$ATTACKS/e12_plaintext" crash=11 dir="$out") || true
        grep -q "$marker" "$out"/core*
}
@test "E12 a crash inside leaves no core file, whatever the signal" {
        for signal in 3 4 5 6 7 8 11 31; do
                ! slow_in_vm || [ $((signal % 5)) -eq 1 ] || continue # SIGABRT, SIGSEGV, SIGSYS
                crash_inside $signal >"$BATS_TEST_TMPDIR/log" || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
                grep -q "reached crash" "$BATS_TEST_TMPDIR/log"
                [ -z "$(ls -A "$out")" ]
        done
        ! grep -rqs "$marker" "$BATS_TEST_TMPDIR" || false
        ! grep -qs "$marker" core* || false
}
@test "E12 another user of the host reads nothing of a running job" {
        attack plain e12_plaintext hold=60001 >/dev/null 3>&- &
        runner=$!
        for i in $(seq 100); do
                job=$(grep -lz "hold=60001" /proc/[0-9]*/cmdline 2>/dev/null | while read -r file; do
                        pid=$(basename "$(dirname "$file")")
                        [ "$(tr '\0' ' ' <"$file" | cut -d' ' -f1)" = /job/e12_plaintext ] && echo "$pid"
                done | head -1)
                [ -z "$job" ] || break
                sleep 0.05
        done
        [ -n "$job" ]
        for file in mem environ maps auxv root/ cwd/ fd/ exe map_files/; do
                if "$ATTACKS/e12_plaintext" peek="/proc/$job/$file" user=65534; then
                        opened="$opened $file"
                fi
        done
        "$ATTACKS/e12_plaintext" peek="/proc/$job/maps" user=0 # the control: root can
        kill -9 "$job"
        wait $runner || true
        [ -z "$opened" ] || { echo "nobody can open$opened"; return 1; }
}
@test "E12 neither result nor messages repeat the memory that system calls point to" {
        attack plain e06_kernel_calls only=request-key >"$BATS_TEST_TMPDIR/log"
        grep -q '"request_key"' "$BATS_TEST_TMPDIR/log" # it was refused and reported
        ! grep -q "gbx-none" "$BATS_TEST_TMPDIR/log" || false
}
@test "E12 a core_pattern that is a pipe refuses the run, or is shown not to get anything" {
        only_in_vm "core_pattern is the whole machine's"
        printf '#!/bin/bash\ncat >/var/tmp/piped-core\n' >/var/tmp/catch-core && chmod 755 /var/tmp/catch-core
        echo '|/var/tmp/catch-core' >/proc/sys/kernel/core_pattern
        run attack plain --expect refused:core_pattern e12_plaintext
        echo "$output"
        [ "$status" -eq 0 ]
        attack plain --spec '{"options": {"core_pattern_pipe": "suppress"}}' e12_plaintext crash=11 dir=/tmp
        sleep 0.5
        [ ! -s /var/tmp/piped-core ]
        # The control: outside, the pipe gets it.
        (ulimit -c unlimited; exec "$ATTACKS/e12_plaintext" crash=11 dir=/tmp) || true
        sleep 0.5
        grep -q "$marker" /var/tmp/piped-core
        echo core >/proc/sys/kernel/core_pattern
}
@test "E12 a job's memory is not swapped out" {
        only_in_vm "needs swap space of its own"
        for module in lzo lzo-rle zsmalloc zram; do
                insmod /lib/modules/$module.ko || skip "no zram in this kernel"
        done
        echo 256M >/sys/block/zram0/disksize
        mkswap /dev/zram0 >/dev/null && swapon /dev/zram0
        before=$(sed -n 's/^SwapFree: *\([0-9]*\).*/\1/p' /proc/meminfo)
        attack plain --expect limit:memory --limit memory_bytes=$((48 << 20)) e13_bombs memory
        [ "$(sed -n 's/^SwapFree: *\([0-9]*\).*/\1/p' /proc/meminfo)" -eq "$before" ]
        # The control: without the limit of the cgroup on swap, the same memory goes there.
        mkdir /sys/fs/cgroup/control && echo $((48 << 20)) >/sys/fs/cgroup/control/memory.max
        (echo $BASHPID >/sys/fs/cgroup/control/cgroup.procs; exec timeout 20 "$ATTACKS/e13_bombs" memory) &
        sleep 1.5
        [ "$(sed -n 's/^SwapFree: *\([0-9]*\).*/\1/p' /proc/meminfo)" -lt "$before" ]
        echo 1 >/sys/fs/cgroup/control/cgroup.kill
        wait || true
        rmdir /sys/fs/cgroup/control
        swapoff /dev/zram0
}
