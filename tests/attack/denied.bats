#!/usr/bin/env bats
# Claim: a system call that is denied carries nothing out (threat E23). A native job puts numbers, which stand for data, into
# every argument of calls that it knows are denied; the log names the calls and their classes and no number of the job's. What
# an analyst sees does not depend on what was denied. The controls: the calls were made, for the log names each of them; the
# search finds the number where somebody wrote it into the log; and the auditor sees the counts that the analyst does not.
load ../e2e/site.bash
load lib/seen.bash

setup_file() {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        cat >"$WORK/deny.c" <<'C'
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static char parameters[4096];
static long marker = 313370000; /* 0x12ada350; counted up, so that each call has numbers of its own */
#define M (marker++)
static int asked(const char *word) { return strstr(parameters, word) != NULL; }
int main(void) {
        FILE *f = fopen("/job/params.json", "r");
        parameters[fread(parameters, 1, sizeof parameters - 1, f)] = '\0';
        if (asked("data")) {
                syscall(SYS_socket, M, M, M);
                syscall(SYS_socket, 2, 1, M);
                syscall(SYS_socket, 16, 3 | 02000000, M);
                syscall(SYS_socketpair, M, M, M, M);
                syscall(SYS_ioctl, M, M, M);
                syscall(SYS_ioctl, 0, 0x5412, M);
                syscall(SYS_prctl, M, M, M, M, M);
                syscall(SYS_prctl, 4, M, M, M, M);
                syscall(SYS_fcntl, M, M, M);
                syscall(SYS_fcntl, 0, 1031, M);
                syscall(SYS_mmap, 0, M, M, 0x40000 | M, M, M);
                syscall(SYS_mount, M, M, M, M, M);
                syscall(SYS_mount, 0, 0, 0, 4096, 0);
                syscall(SYS_umount2, M, M);
                syscall(SYS_unshare, M);
                syscall(SYS_unshare, 0x10000000);
                syscall(SYS_setns, M, M);
                syscall(SYS_clone, 0x10000000 | (M & 0xff), M, M, M, M);
                syscall(SYS_keyctl, M, M, M, M, M);
                syscall(SYS_memfd_create, M, M);
                syscall(SYS_shmget, M, M, M);
                syscall(SYS_semget, M, M, M);
                syscall(SYS_msgget, M, M);
                syscall(SYS_setsockopt, M, M, M, M, M);
                syscall(SYS_setpriority, M, M, M);
                syscall(SYS_personality, M);
                syscall(SYS_setuid, M);
                syscall(SYS_setresuid, M, M, M);
                syscall(SYS_kcmp, M, M, M, M, M);
                syscall(SYS_splice, M, M, M, M, M, M);
                syscall(SYS_perf_event_open, M, M, M, M, M);
                syscall(SYS_flock, M, M);
                syscall(SYS_pidfd_open, M, M);
                syscall(31337, M, M, M, M, M, M);
                syscall(M, 1);
        }
        if (asked("many")) /* each number of these is another data bit for who counts */
                for (int i = 0; i < 500; i++)
                        syscall(SYS_socket, i, i, i);
        return 1;
}
C
        gcc -static -O1 -w -o "$WORK/deny" "$WORK/deny.c"
        cat >"$WORK/deny.yaml" <<'Y'
policy: deny
purpose: deny
datasets: [credit]
engines: [native]
approvals: { required: 2, reviewers: [wang, li] }
parameters:
  - { name: by, type: text }
release: { minimum-count: 10 }
Y
        gbx policy apply "$WORK/deny.yaml" --as admin
        export NATIVE=$(submit "$WORK/deny" --engine native)
        approve "$NATIVE" deny >&2
}

teardown_file() {
        [ -z "${WORK:-}" ] || rm -rf "$WORK"
}

job() { # WAY
        gbx job run --algo "$NATIVE" --data credit --purpose deny --param by="$1" --as bank-a "${@:2}"
}

last_run() { gbx job ls --json --as audit | jq -r 'last | .id'; }
calls() { gbx audit ls --json --object "$1" --action syscall.denied --as audit | jq -c '[.[].details.calls[]]'; }
denied_has() { # SYSCALL CLASS
        jq -e --arg s "$1" --argjson c "$2" 'any(.syscall == $s and .class == $c)' "$WORK/calls" >/dev/null || { echo "$1 $2"; cat "$WORK/calls"; return 1; }
}

@test "numbers in the arguments of denied calls are nowhere; the calls are named by class" {
        status_is 1 job data
        run_id=$(last_run)
        calls "$run_id" >"$WORK/calls"
        denied_has socket '["AF_INET","SOCK_STREAM"]'
        denied_has socket '["AF_NETLINK","SOCK_RAW","SOCK_CLOEXEC"]'
        denied_has ioctl '["TIOCSTI"]'
        denied_has ioctl '["other"]'
        denied_has prctl '["PR_SET_DUMPABLE"]'
        denied_has fcntl '["F_SETPIPE_SZ"]'
        denied_has other '[]'
        jq -e 'map(.syscall) | unique | length >= 20' "$WORK/calls"
        jq -e 'any(.syscall == "mount" and (.class | index("MS_BIND") and index("other")))' "$WORK/calls"
        # No member but name, words of the table, count and answer.
        jq -e 'all(.[]; keys == ["answer","class","count","syscall"] and all(.class[]; test("^([A-Z0-9_]+|other)$")))' "$WORK/calls"
        see "$run_id" >"$WORK/seen"
        grep -q TIOCSTI "$WORK/seen" # what is searched has the entry
        if grep -aiE '31337|12ada' "$WORK/seen"; then return 1; fi
}

@test "the control: the same search finds such a number where somebody put it into the log" {
        ssh-keygen -q -t ed25519 -N '' -C 313370001 -f "$WORK/marked"
        gbx user add marked --role owner --ssh-key "$WORK/marked.pub" --as admin
        see "$(last_run)" >"$WORK/seen"
        grep -aqE '31337' "$WORK/seen"
}

@test "the number of entries says nothing: a run that tries a thousand calls writes as many as one that tries one kind" {
        local before one many
        before=$(gbx status --json --as audit | jq .entries)
        status_is 1 job data
        one=$(($(gbx status --json --as audit | jq .entries) - before))
        before=$(gbx status --json --as audit | jq .entries)
        status_is 1 job many
        many=$(($(gbx status --json --as audit | jq .entries) - before))
        echo "$one $many"
        [ "$one" -eq "$many" ]
        calls "$(last_run)" | jq -e 'map(select(.syscall == "socket")) | length <= 17 and (map(.count) | add) == 500'
}

# All that an analyst can list, without what names the run or the time.
analyst_sees() {
        local noun
        for noun in "job ls" "job show $1" status "data ls" "algo ls" "user ls" "policy ls" "release ls"; do
                gbx $noun --json --as bank-a 2>&1 || true
        done
}

@test "an analyst's lists hold no count of denied calls and no number of an entry; an auditor's do" {
        local name
        status_is 1 job data
        run_id=$(last_run)
        analyst_sees "$run_id" >"$WORK/analyst"
        jq -e -s 'length > 4' "$WORK/analyst" >/dev/null
        for name in seq state_seq entries covered denied pids_peak index; do
                if jq -s --arg n "$name" '[.. | objects | select(has($n))]' "$WORK/analyst" | jq -e 'length > 0'; then echo "$name"; return 1; fi
        done
        gbx job show "$run_id" --json --as audit | jq -e '.denied > 20 and has("seq")' # the controls
        gbx status --json --as audit | jq -e '.entries > 10'
        gbx job ls --json --as audit | jq -e 'any(.denied > 20)' # of algorithms nobody is told the number
        [ "$(gbx status --json --as bank-b | jq -c '[.runs, .held, .releases]')" = '[0,0,0]' ] # nor what others do
        gbx status --json --as bank-a | jq -e '.runs > 2'
}

@test "an analyst sees the same of a run with a thousand denied calls as of one with none" {
        local way
        for way in nothing many; do
                job "$way" --json | jq -S 'del(.run, .report.cpu_ms, .report.wall_ms)' >"$WORK/told-$way" || true
                gbx job show "$(last_run)" --json --as bank-a | jq -S 'del(.id, .request, .cpu_ms, .wall_ms)' >"$WORK/shown-$way"
                gbx status --json --as bank-a | jq -S 'del(.runs)' >"$WORK/status-$way"
        done
        diff "$WORK/told-nothing" "$WORK/told-many"
        diff "$WORK/shown-nothing" "$WORK/shown-many"
        diff "$WORK/status-nothing" "$WORK/status-many"
        [ "$(jq -r .state "$WORK/shown-many")" = failed ]
}

@test "the figures never exceed the policy's limits, and a run reads failed or limit, not ended" {
        sed -e 's/^purpose: deny/purpose: short/' -e 's/^policy: deny/policy: short/' -e 's/^parameters/limits: { wall-time: 25s, cpu-time: 2s }\nparameters/' \
                "$WORK/deny.yaml" >"$WORK/short.yaml"
        gbx policy apply "$WORK/short.yaml" --as admin
        printf 'int main(void) { for (;;) ; }\n' >"$WORK/spin.c"
        gcc -static -O0 -o "$WORK/spin" "$WORK/spin.c"
        spin=$(submit "$WORK/spin" --engine native)
        approve "$spin" short
        status_is 6 gbx job run --algo "$spin" --data credit --purpose short --as bank-a
        says "limit reached: cpu"
        says "at most 2 s CPU"
        gbx job show "$(last_run)" --json --as bank-a | jq -e '.state == "limit" and .cpu_ms == 2000 and .wall_ms <= 25000'
        gbx job ls --json --as bank-a | jq -e 'all(.state == "failed" or .state == "limit")'
        [[ $(gbx job ls --as bank-a) != *ended* ]]
        status_is 0 gbx audit verify --as audit
        status_is 0 gbx audit replay --as audit
}
