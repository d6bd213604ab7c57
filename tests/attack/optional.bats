# A kernel that lacks a system call: lib/block_calls.c makes one answer ENOSYS. What a layer cannot do without
# is refused by name, nothing started; what can be done without is reported as missing.

setup() {
        load lib/common
        real=$GBX_SANDBOX
        export BLOCKED_SANDBOX=$real
}

# A launcher that is gbx-sandbox behind block-calls.
blocked() { # CALLS
        wrapper=$BATS_TEST_TMPDIR/sandbox-without-$1
        printf '#!%s\nexec %s %s %s "$@"\n' "$(command -v bash)" "$(realpath "$build/block-calls")" "$1" \
                "$(realpath "$real")" >"$wrapper"
        chmod 755 "$wrapper"
        export GBX_SANDBOX=$wrapper
}

@test "with nothing that matters blocked, the wrapper changes nothing" {
        blocked statx
        inside e04_namespaces
}
@test "each call that a layer needs is missed by name, and nothing is started" {
        for call in openat2 fsopen fsmount move_mount open_tree mount_setattr close_range clone3 pidfd_open seccomp \
                pivot_root execveat; do
                blocked $call
                run attack plain --expect refused e04_namespaces
                echo "$call: $output"
                [ "$status" -eq 0 ]
                # One line that says what; never an attempt that ran.
                echo "$output" | grep -qE '^refused: gbx-sandbox: .{10,}'
                ! echo "$output" | grep -qE '^(stopped|BREACH) ' || false
        done
}
@test "without Landlock a run says so and is stopped by everything else" {
        blocked landlock_create_ruleset,landlock_add_rule,landlock_restrict_self
        inside e03_host_files
        if ! slow_in_vm; then
                inside e01_runtime_overwrite
                inside --leak e02_descriptors
                inside e04_namespaces
                inside e05_mounts
                inside --each e06_kernel_calls
                inside --each e06_ptrace
                inside e07_sockets
                inside --terminal e08_terminal
                inside --listen e09_network
                inside e10_processes
                inside e12_plaintext
                inside e14_privilege
        fi
        attack plain e04_namespaces >"$BATS_TEST_TMPDIR/log"
        grep -q '"landlock":"unavailable"' "$BATS_TEST_TMPDIR/log"
}
@test "without Landlock a spec that requires it is refused by name" {
        blocked landlock_create_ruleset,landlock_add_rule,landlock_restrict_self
        attack plain --expect refused:andlock --spec '{"options": {"require_landlock": true}}' e04_namespaces
}
@test "without memfd_secret a sandbox, which has no keys, is as before, and check says that it is missing" {
        blocked memfd_secret
        inside e04_namespaces
        "$GBX_SANDBOX" check >"$BATS_TEST_TMPDIR/log" || true
        grep -q '^weaker *secret memory .*not implemented' "$BATS_TEST_TMPDIR/log"
}
@test "without memfd_secret the vault keeps its keys in locked memory, guarded as well" {
        only_on_host "the unit tests are not there"
        "$build/block-calls" memfd_secret "$build/tests/unit/test_vault" >"$BATS_TEST_TMPDIR/log" 2>&1 ||
                { cat "$BATS_TEST_TMPDIR/log"; return 1; }
        grep -q 'secrets are kept in locked memory' "$BATS_TEST_TMPDIR/log"
        # Control: it is the block that makes the difference, where the kernel has the call.
        "$build/tests/unit/test_vault" >"$BATS_TEST_TMPDIR/control" 2>&1
        "$GBX_SANDBOX" check | grep -q '^weaker *secret memory' ||
                grep -q 'secrets are kept in memfd_secret memory' "$BATS_TEST_TMPDIR/control"
}
@test "a kernel whose tmpfs has no noswap is reported as such" {
        only_in_vm "this host's kernel has noswap"
        attack plain e04_namespaces >"$BATS_TEST_TMPDIR/log"
        grep -q '"noswap":false' "$BATS_TEST_TMPDIR/log"
}
@test "an older Landlock is reported with its ABI" {
        only_in_vm "this host's kernel has a new one"
        attack plain e04_namespaces >"$BATS_TEST_TMPDIR/log"
        grep -q '"landlock":"abi 2"' "$BATS_TEST_TMPDIR/log"
}
@test "where core dumps go to a program, a run is refused, or has none if its spec says so" {
        only_in_vm "the pattern is the whole machine's"
        kept=$(cat /proc/sys/kernel/core_pattern)
        echo '|/bin/busybox touch /tmp/dumped' >/proc/sys/kernel/core_pattern
        (ulimit -c 0 && exec bash -c 'kill -SEGV $$') || true # even with a limit of 0: what the layer is for
        sleep 1
        [ -e /tmp/dumped ]
        rm /tmp/dumped
        attack plain --expect 'refused:core dumps go to a pipe' e04_namespaces
        attack plain --expect signaled:11 --spec '{"options": {"core_pattern_pipe": "suppress"}}' e13_bombs stack
        sleep 1
        [ ! -e /tmp/dumped ]
        echo '@/run/dumps' >/proc/sys/kernel/core_pattern || echo "this kernel has no sockets for dumps"
        case $(cat /proc/sys/kernel/core_pattern) in
        @*) attack plain --expect 'refused:core dumps go to a socket' e04_namespaces ;;
        esac
        echo "$kept" >/proc/sys/kernel/core_pattern
}
@test "the version of control groups is reported" {
        attack plain e04_namespaces >"$BATS_TEST_TMPDIR/log"
        if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
                grep -q '"cgroup":"v2"' "$BATS_TEST_TMPDIR/log"
        else
                grep -qE '"cgroup":"v[12]"' "$BATS_TEST_TMPDIR/log" # hybrid: whichever has the controllers
        fi
}
