# Hostile code that fooled the reviewers: each attempt fails and leaves its line in the log.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        gbx policy apply "$demo/fire-drill.yaml" --as admin
        export SCRIPT=$(submit "$demo/hostile.lua") BINARY=$(submit "$build/demo/hostile" --engine native)
        approve "$SCRIPT" fire-drill >&2
        approve "$BINARY" fire-drill >&2
}

teardown_file() {
        rm -rf "$WORK"
}

attack() { # NAME
        gbx job run --algo "$SCRIPT" --data credit --purpose fire-drill --param attack="$1" --as bank-a
}

@test "Lua: os and io are not there" {
        status_is 1 attack os
        says "runtime-error at line"
        status_is 1 attack io
}

@test "Lua: bytecode, text and modules are not loaded, and there is no debug library" {
        for name in load bytecode require debug; do
                status_is 1 attack "$name"
        done
}

@test "Lua: a string bomb and endless recursion are errors, not a dead host" {
        run attack string-bomb
        [ "$status" -eq 1 ] || [ "$status" -eq 6 ]
        run attack recursion
        [ "$status" -eq 1 ] || [ "$status" -eq 6 ]
}

@test "Lua: an error message made of data does not reach the analyst" {
        status_is 1 attack message
        [[ $output != *A0000* ]]
}

@test "Lua: a pattern bomb, an endless loop and hoarding reach a limit" {
        for name in pattern-bomb endless-loop memory; do
                status_is 6 attack "$name"
                says "limit"
        done
}

@test "what an analyst sees never holds text of the script" {
        run attack os
        [[ $output != *"attempt to"* ]]
        [[ $output != *"nil value"* ]]
}

@test "a hostile binary gets nowhere; each denied system call is in the log with name and class" {
        before=$(ps -e --no-headers | wc -l)
        run gbx job run --algo "$BINARY" --data credit --purpose fire-drill --as bank-a
        [ "$status" -ne 0 ]
        status_is 0 gbx audit ls --action syscall.denied --as audit
        says "socket"
        says "mount"
        says "ptrace"
        [ "$(ps -e --no-headers | wc -l)" -le $((before + 5)) ]
        gbx audit ls --action run.end --as audit --json >"$WORK/ends"
        [ -s "$WORK/ends" ]
}

@test "each attempt of the hostile binary, alone, fails and has its line" {
        for name in passwords root init-memory inet inet6 unix netlink packet vsock crypto mount namespace data write-root write-job \
                setuid fork ptrace; do
                run gbx job run --algo "$BINARY" --data credit --purpose fire-drill --param attack="$name" --as bank-a
                [ "$status" -eq 1 ] || [ "$status" -eq 6 ] || { echo "$name: $status $output"; return 1; }
                run_id=$(gbx job ls --json | jq -r 'last | .id')
                gbx audit ls --object "$run_id" --action run.end --as audit --json | jq -e 'length == 1 and .[0].outcome != "done"' >/dev/null
        done
        "$build/demo/hostile" passwords # the control: outside it works
}

@test "nothing is left after all that: no process, mount or control group" {
        # The programs of jobs, by the names that they have inside; another site's may be running, but not for long.
        for _ in $(seq 100); do
                pgrep -f '^/(bin/gbx-lua|job/program)' >"$WORK/processes" || break
                sleep 0.05
        done
        [ ! -s "$WORK/processes" ]
        ! grep -q run-0000 /proc/self/mountinfo || false
        [ -z "$(find /sys/fs/cgroup -maxdepth 4 -type d -name '*run-0000*' 2>/dev/null)" ]
        status_is 0 gbx audit replay --as audit
}
