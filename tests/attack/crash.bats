# What is left after a kill: no process, no cgroup, no mount, no file. Each stage of a start is a place where
# the test build of gbx-sandbox can be told to stop itself (GBX_SANDBOX_STOP), to be killed there.

setup() {
        load lib/common
        mark=$((10000000 + RANDOM * 100 + $$ % 100)) # milliseconds to sleep; found again in command lines
        mkdir -p "$BATS_TEST_TMPDIR/image"/{bin,job,tmp,proc,dev,out,data}
        cat >"$BATS_TEST_TMPDIR/spec" <<SPEC
{ "version": 1, "name": "crash-$mark", "profile": "native", "argv": ["/job/e12_plaintext", "hold=$mark"],
  "image": { "directory": "$BATS_TEST_TMPDIR/image" }, "stdin": null,
  "mounts": [ { "target": "/job", "directory": "$(realpath "$ATTACKS")", "executable": true },
              { "target": "/tmp", "tmpfs": { "bytes": 1048576, "inodes": 16 } } ],
  "limits": { "wall_ms": 600000, "cpu_ms": 600000, "memory_bytes": 67108864, "pids": 8 } }
SPEC
}

# The launcher, its guard, the sandbox's init and the job: all are descendants of the launcher.
processes_of() { # PID
        local pid child
        echo "$1"
        for child in /proc/[0-9]*/stat; do
                read -r pid _ <"$child" 2>/dev/null || continue
                [ "$(parent_of "$pid")" = "$1" ] && processes_of "$pid"
        done
        return 0
}
parent_of() {
        sed -n 's/^PPid:\t//p' "/proc/$1/status" 2>/dev/null || true
}
state_of() {
        sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null || true
}
alive() {
        case $(state_of "$1") in '' | Z | X) return 1 ;; esac
}

mounts_now() {
        # Of this machine's namespace, and what may be mounted for others from our image.
        grep -c . /proc/self/mountinfo
}

nothing_left() { # PIDS
        local pid i
        for i in $(seq 50); do
                left=
                for pid in $1; do
                        alive "$pid" && left="$left process:$pid"
                done
                [ -z "$(find /sys/fs/cgroup -type d -name "gbx-crash-$mark-*" 2>/dev/null)" ] || left="$left cgroup"
                [ -z "$left" ] && break
                sleep 0.1
        done
        [ "$(mounts_now)" = "$mounts_before" ] || left="$left mounts"
        [ -z "$left" ] || {
                echo "left:$left"
                return 1
        }
        rmdir "$BATS_TEST_TMPDIR"/image/* # nothing is mounted there, nothing was put there
}

# Starts a run that stops at a stage; sets launcher and pids.
start_until() { # STAGE
        local pid i
        mounts_before=$(mounts_now)
        GBX_SANDBOX_STOP=$1 "$GBX_SANDBOX_SWITCHES" run "$BATS_TEST_TMPDIR/spec" >/dev/null 2>&1 3>&- &
        launcher=$!
        for i in $(seq 100); do
                pids=$(processes_of $launcher)
                for pid in $pids; do
                        [ "$(state_of "$pid")" != T ] || return 0
                done
                sleep 0.02
        done
        echo "the run never reached the stage '$1'"
        return 1
}

kill_at() { # STAGE
        local pid
        start_until "$1"
        kill -9 $launcher
        wait $launcher 2>/dev/null || true
        # A process that the stage stopped is killed by the guard or with its parent, stopped or not.
        nothing_left "$pids"
}

@test "E12 SIGKILL of the launcher at each stage of its own leaves nothing" {
        for stage in guarded prepared limited cloned launched; do
                echo "stage $stage"
                mkdir -p "$BATS_TEST_TMPDIR/image"/{bin,job,tmp,proc,dev,out,data}
                kill_at $stage
        done
}
@test "E12 SIGKILL of the launcher at each stage of init and job leaves nothing" {
        for stage in init entered mounting mounted mapped identified followed named opened placed job started; do
                echo "stage $stage"
                mkdir -p "$BATS_TEST_TMPDIR/image"/{bin,job,tmp,proc,dev,out,data}
                kill_at $stage
        done
}

# The job is running: kill one of its processes and see the others go.
kill_one() { # INDEX among the processes, oldest first
        local i victim
        mounts_before=$(mounts_now)
        "$GBX_SANDBOX" run "$BATS_TEST_TMPDIR/spec" >/dev/null 2>&1 3>&- &
        launcher=$!
        for i in $(seq 100); do
                pids=$(processes_of $launcher)
                grep -qz "hold=$mark" $(printf '/proc/%s/cmdline ' $pids) 2>/dev/null && break
                sleep 0.02
        done
        victim=$(echo $pids | cut -d' ' -f"$1")
        echo "processes: $(echo $pids), killing $victim"
        [ -n "$victim" ]
        kill -9 "$victim"
        wait $launcher 2>/dev/null || true
        nothing_left "$pids"
}

@test "E12 SIGKILL of any one process of a running sandbox ends it and leaves nothing" {
        for index in 1 2 3 4; do
                mkdir -p "$BATS_TEST_TMPDIR/image"/{bin,job,tmp,proc,dev,out,data}
                kill_one $index
        done
}
@test "E12 SIGKILL at any moment of a start leaves nothing" {
        mounts_before=$(mounts_now)
        all=
        for i in $(seq 30); do
                "$GBX_SANDBOX" run "$BATS_TEST_TMPDIR/spec" >/dev/null 2>&1 3>&- &
                launcher=$!
                sleep "0.00$((i % 10))"
                all="$all $(processes_of $launcher)"
                kill -9 $launcher
                wait $launcher 2>/dev/null || true
        done
        nothing_left "$all"
}
@test "E12 after all this gc has nothing to do" {
        run "$GBX_SANDBOX" gc
        echo "$output"
        [ "$status" -eq 0 ]
        ! echo "$output" | grep -q "crash-"
}
