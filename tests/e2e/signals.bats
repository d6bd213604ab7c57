# Signals (E12, E21): whoever asks gbx to stop gets a cancelled run and an end in order; whoever kills it leaves no sandbox
# computing. A run is found by its session, which gbx is the first process of, and its job by the name that slow.c shows.
load site.bash

setup_file() {
        export WORK=$(mktemp -d) NAME
        NAME=/job/$(printf 's%06d' $((RANDOM * RANDOM % 1000000)))
        make_site "$WORK" >&2
        gcc -static -O1 -DNAME="\"$NAME\"" -o "$WORK/slow" "$BATS_TEST_DIRNAME/slow.c"
        export LUA=$(submit "$demo/default-rate.lua") SLOW=$(submit "$WORK/slow" --engine native)
        approve "$LUA" >&2
        approve "$SLOW" >&2
        # The same with flows: then there is a proxy too.
        sed -E 's/^policy:.*/policy: flows/; s/^purpose:.*/purpose: flows/; /^network:/d' "$demo/credit-scoring.yaml" >"$WORK/flows.yaml"
        printf 'network: flows\nflows:\n  - { name: plain, scheme: http, host: plain.test, paths: ["/v1/"] }\n' >>"$WORK/flows.yaml"
        gbx policy apply "$WORK/flows.yaml" --as admin >&2
        approve "$SLOW" flows >&2
        mkdir -p "$WORK"/image/{bin,dev,proc,tmp,job}
        cp "$WORK/slow" "$WORK/image/job/program"
        chmod -R go+rX "$WORK/image" && chmod 755 "$WORK"
        echo "{\"version\":1,\"name\":\"signals\",\"image\":{\"directory\":\"$WORK/image\"},\"argv\":[\"/job/program\"],
              \"profile\":\"native\",\"limits\":{\"wall_ms\":60000,\"memory_bytes\":33554432,\"pids\":4}}" >"$WORK/spec"
}

teardown_file() {
        rm -rf "$WORK"
}

teardown() { # what a failed test started
        [ -z "${PID:-}" ] || kill -9 "$PID" 2>/dev/null || true
}

# Whatever bats or a shell in the background ignores has its usual meaning again.
start() { # COMMAND…
        env --default-signal setsid "$@" >"$WORK/out" 2>"$WORK/err" 3>&- 4>&- &
        PID=$!
}

start_job() { # DIGEST PURPOSE
        start gbx job run --algo "$1" --data credit --purpose "$2" --param by=home --as bank-a
}

# Waits until the job is seen, and keeps where it counts.
computing() {
        for _ in $(seq 1000); do
                [ "$(pgrep -fc "^$NAME")" = 2 ] && break
                sleep 0.02
        done
        JOB=$(pgrep -f "^$NAME" | tail -1)
        [ "$(pgrep -fc "^$NAME")" = 2 ] || { echo "the job did not start"; cat "$WORK/out" "$WORK/err"; return 1; }
        CGROUPS=$(sed -n 's/^[^:]*:[^:]*:\(.*glovebox.*\)$/\1/p' "/proc/$JOB/cgroup" | sort -u)
        [ -n "$CGROUPS" ]
}

ends_with() { # STATUS
        local status=0
        wait "$PID" || status=$?
        [ "$status" = "$1" ] || { echo "status $status, expected $1"; cat "$WORK/out" "$WORK/err"; return 1; }
}

# No process of the run, no job, none of its control groups; long before any limit of the job would have come. In its own
# session a process is found by that, a job's by its name.
nothing_is_left() {
        local group
        for _ in $(seq 500); do
                pgrep -s "$PID" >"$WORK/left" || pgrep -f "^$NAME" >"$WORK/left" || break
                sleep 0.02
        done
        [ ! -s "$WORK/left" ] || { echo "left:"; ps -o pid,ppid,sess,comm,args -p "$(paste -sd, "$WORK/left")"; return 1; }
        for group in ${CGROUPS:-}; do
                for _ in $(seq 200); do
                        [ -n "$(find /sys/fs/cgroup -maxdepth 6 -type d -path "*$group" 2>/dev/null)" ] || continue 2
                        sleep 0.02
                done
                echo "left: $group"
                return 1
        done
}

last_run() { gbx job ls --json --as audit | jq -c last; }

is_cancelled() {
        ends_with 1
        nothing_is_left
        grep -q "cancelled by a signal; nothing was released" "$WORK/out"
        last_run | jq -e '.state == "cancelled" and .outcome == "cancelled"'
        gbx audit ls --object "$(last_run | jq -r .id)" --action run.end --as audit --json |
                jq -e 'length == 1 and .[0].outcome == "cancelled" and .[0].reasons == ["cancelled"]'
        gbx audit replay --as audit
}

@test "SIGINT, SIGTERM and SIGHUP end the job in order: cancelled, exit 1, an entry, nothing left" {
        for signal in INT TERM HUP; do
                start_job "$SLOW" credit-scoring
                computing
                kill -$signal "$PID"
                is_cancelled
        done
}

@test "a second signal and a third, of any kind, change nothing" {
        start_job "$SLOW" credit-scoring
        computing
        for signal in INT INT TERM HUP INT; do kill -$signal "$PID" 2>/dev/null || true; done
        is_cancelled
}

@test "with flows the proxy ends too, and the run is cancelled" {
        start_job "$SLOW" flows
        computing
        pgrep -s "$PID" -x gbx-egress
        kill -TERM "$PID"
        is_cancelled
}

@test "a signal that whoever started gbx ignores stays ignored" {
        start env --ignore-signal=HUP gbx job run --algo "$SLOW" --data credit --purpose credit-scoring --param by=home --as bank-a
        computing
        kill -HUP "$PID"
        sleep 0.5
        [ "$(pgrep -fc "^$NAME")" = 2 ]
        kill -TERM "$PID"
        is_cancelled
}

@test "--json says it in a document" {
        start gbx job run --algo "$SLOW" --data credit --purpose credit-scoring --param by=home --as bank-a --json
        computing
        kill -INT "$PID"
        ends_with 1
        nothing_is_left
        jq -e '.state == "cancelled" and .exit == 1 and .reasons == ["cancelled"]' "$WORK/out"
}

@test "gbx algo try is cancelled likewise" {
        start gbx algo try "$WORK/slow" --engine native --purpose credit-scoring --param by=home --as bank-a
        computing
        kill -INT "$PID"
        ends_with 1
        nothing_is_left
        grep -q cancelled "$WORK/out"
}

@test "SIGINT at any moment of a run leaves no run that is said to be running, and no process" {
        for moment in $(seq 0 0.012 0.4); do
                start_job "$LUA" credit-scoring
                sleep "$moment"
                kill -INT "$PID" 2>/dev/null || true
                status=0
                wait "$PID" || status=$?
                nothing_is_left
                state=$(last_run | jq -r .state)
                echo "after $moment s: status $status, $state"
                [ "$status" = 0 ] || [ "$status" = 1 ] || [ "$status" = 130 ]
                [ "$state" != running ] && [ "$state" != allowed ]
        done
        gbx audit replay --as audit
}

@test "SIGKILL, SIGQUIT and SIGSEGV of gbx end the sandbox with it" {
        for signal in KILL QUIT SEGV; do
                start_job "$SLOW" credit-scoring
                computing
                kill -$signal "$PID"
                wait "$PID" || true
                nothing_is_left
        done
        gbx audit verify --as audit
}

@test "SIGKILL of gbx ends its proxy too" {
        start_job "$SLOW" flows
        computing
        pgrep -s "$PID" -x gbx-egress
        kill -KILL "$PID"
        wait "$PID" || true
        nothing_is_left
}

@test "SIGKILL of gbx at any moment of a run, the gate's sandbox included, leaves no process" {
        for moment in $(seq 0 0.012 0.4); do
                start_job "$LUA" credit-scoring
                sleep "$moment"
                kill -KILL "$PID" 2>/dev/null || true
                wait "$PID" || true
                nothing_is_left
        done
        gbx audit verify --as audit
        start_job "$LUA" credit-scoring # and the site works on
        ends_with 0
}

# A terminal of its own: types ^C when the job is seen, passes the status on.
at_a_terminal() { # COMMAND…
        python3 - "$NAME" "$@" <<'PY'
import os, pty, subprocess, sys, threading, time

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])

def interrupt():
    for _ in range(1000):
        if subprocess.run(["pgrep", "-fc", "^" + sys.argv[1]], capture_output=True, text=True).stdout.strip() == "2":
            break
        time.sleep(0.02)
    os.write(terminal, b"\x03")

threading.Thread(target=interrupt, daemon=True).start()
text = b""
while True:
    try:
        block = os.read(terminal, 4096)
    except OSError:
        break
    if not block:
        break
    text += block
sys.stdout.write(text.decode(errors="replace"))
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
PY
}

gone_by_name() {
        for _ in $(seq 500); do
                pgrep -f "^$NAME" >/dev/null || return 0
                sleep 0.02
        done
        return 1
}

@test "^C at a terminal: gbx job run is cancelled" {
        status_is 1 at_a_terminal env --default-signal gbx job run --algo "$SLOW" --data credit --purpose credit-scoring --param by=home --as bank-a
        says "cancelled by a signal; nothing was released"
        gone_by_name
}

@test "^C at a terminal: gbx-sandbox run by hand ends with its job" {
        status_is 130 at_a_terminal env --default-signal gbx-sandbox run "$WORK/spec"
        gone_by_name
}

@test "gbx-sandbox --control-fd: the run ends as cancelled when the pipe is closed, or written to, or its holder is killed" {
        mkfifo "$WORK/pipe"
        for way in close write kill; do
                rm -f "$WORK/result"
                start bash -c 'exec gbx-sandbox run "$1/spec" --result-fd 5 --control-fd 6 5>"$1/result" 6<"$1/pipe"' -- "$WORK"
                sleep 60 >"$WORK/pipe" 3>&- & # holds the other end
                holder=$!
                exec {other}>"$WORK/pipe"
                computing
                case $way in
                close) kill "$holder"; exec {other}>&- ;;
                write) echo x >&"$other" ;;
                kill) exec {other}>&-; kill -9 "$holder" ;;
                esac
                ends_with 0
                nothing_is_left
                jq -e '.outcome == "cancelled" and .exit_code == null and .limit == null' "$WORK/result"
                kill "$holder" 2>/dev/null || true
                [ "$way" != write ] || exec {other}>&-
        done
        status_is 2 gbx-sandbox run "$WORK/spec" --control-fd 77
        says "--control-fd: '77' is not an open descriptor"
}
