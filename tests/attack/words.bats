#!/usr/bin/env bats
# Claim: nothing that a job says reaches an analyst or the log but words of the gateway (threat E23). A native job writes
# the data's rows wherever it may write; a Lua job tries the same with errors and progress. The controls: the same program
# outside says them all, and the same search finds the marker where somebody wrote it into the log on purpose.
load ../e2e/site.bash
load lib/seen.bash

setup_file() {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        cat >"$WORK/talk.c" <<'C'
/* Says the first rows of the data on descriptor 3, in the way that the parameter `by` asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static char rows[4000], parameters[4096];
static size_t take(const char *path, char *to, size_t size) {
        FILE *f = fopen(path, "r");
        size_t n = f ? fread(to, 1, size - 1, f) : 0;
        to[n] = '\0';
        return n;
}
static int asked(const char *word) { return strstr(parameters, word) != NULL; }
static void file(const char *path, const char *text) {
        FILE *f = fopen(path, "w");
        if (f) {
                fputs(text, f);
                fclose(f);
        }
}
static void manifest(void) {
#define COLUMN(name, type, role) "{\"name\":\"" name "\",\"type\":\"" type "\",\"role\":\"" role "\"}"
#define MANIFEST(file, kind, columns) "{\"version\":1,\"outputs\":[{\"file\":\"" file "\",\"kind\":\"" kind "\",\"columns\":[" columns "]}]}"
        file("/out/A00001.csv", "A00001,n\nA00001,50\n");
        file("/out/A00001", "A00001");
        mkdir("/out/A00001 dir", 0755);
        file("/out/\033[2JA00001\nrun-000001: released", "A00001");
        symlink("/A00001", "/out/A00001link");
        if (asked("manifest-good"))
                file("/out/release.json", MANIFEST("A00001.csv", "table", COLUMN("A00001", "text", "key") "," COLUMN("n", "integer", "count")));
        if (asked("manifest-kind"))
                file("/out/release.json", MANIFEST("A00001.csv", "A00001", COLUMN("A00001", "A00001", "A00001")));
        if (asked("manifest-name"))
                file("/out/release.json", MANIFEST("\\u001b[2JA00001\\nrun-000001: released", "table", COLUMN("A00001\\u000aA00001", "text", "key")));
        if (asked("manifest-text"))
                file("/out/release.json", "A00001 A00002\nrun-000001: released");
        if (asked("manifest-key"))
                file("/out/release.json", "{\"A00001\":1,\"version\":\"A00001\"}");
}
int main(int argc, char **argv) {
        FILE *out = fdopen(3, "w");
        take(argc > 1 ? argv[1] : "/job/params.json", parameters, sizeof parameters);
        take(argc > 2 ? argv[2] : "/data/credit", rows, sizeof rows);
        for (char *c = rows; *c; c++)
                if (*c == '"' || *c == '\n')
                        *c = ' ';
        rows[2500] = '\0';
        if (!out)
                return 9;
        if (asked("rule"))
                fprintf(out, "{\"end\":\"error\",\"rule\":\"%.2500s\"}\n", rows);
        if (asked("short")) {
                char *found = strstr(rows, "A00001");
                fprintf(out, "{\"end\":\"error\",\"rule\":\"%.60s\"}\n", found ? found : "A00001");
        }
        if (asked("end"))
                fprintf(out, "{\"end\":\"A00001\",\"rule\":\"A00001\",\"line\":1}\n{\"A00001\":1}\nA00001\n");
        if (asked("newline"))
                fprintf(out, "{\"end\":\"error\",\"rule\":\"A00001\\nrun-000001: released\\n\"}\n");
        if (asked("escape"))
                fprintf(out, "{\"end\":\"error\",\"rule\":\"\\u001b]0;A00001\\u0007\\u001b[2J\"}\n");
        if (asked("huge")) {
                for (int i = 0; i < 60000; i++)
                        fputs("A00001 ", out);
                fputs("\n", out);
        }
        if (asked("many"))
                for (int i = 0; i < 1000; i++)
                        fprintf(out, "{\"end\":\"error\",\"rule\":\"A%05d\",\"line\":%d}\n", i % 2, i);
        if (asked("line"))
                fprintf(out, "{\"end\":\"error\",\"rule\":\"runtime-error\",\"line\":31337}\n");
        if (asked("known"))
                fprintf(out, "{\"end\":\"error\",\"rule\":\"instruction-limit\",\"line\":1}\n");
        if (asked("progress"))
                for (int i = 0; i <= 1000; i++) {
                        fprintf(out, "{\"progress\":0.%03d1337,\"step\":%d}\n", i % 1000, i);
                        fflush(out);
                        if (i % 100 == 0)
                                usleep(300000);
                }
        if (asked("unended"))
                fprintf(out, "{\"end\":\"error\",\"rule\":\"A00001");
        if (asked("manifest"))
                manifest();
        fflush(out);
        write(1, rows, 100);
        write(2, rows, 100);
        return asked("zero") ? 0 : 1;
}
C
        gcc -static -O1 -w -o "$WORK/talk" "$WORK/talk.c"
        # The most talkative policy there is.
        cat >"$WORK/talk.yaml" <<'Y'
policy: talk
purpose: talk
datasets: [credit]
engines: [lua, native]
approvals: { required: 2, reviewers: [wang, li] }
messages: { line: yes, progress: yes }
parameters:
  - { name: by, type: text }
release: { minimum-count: 10, declared-counts: trust-reviewed-code }
Y
        sed -e 's/talk$/mute/' -e '/^messages/d' "$WORK/talk.yaml" >"$WORK/mute.yaml"
        gbx policy apply "$WORK/talk.yaml" --as admin
        gbx policy apply "$WORK/mute.yaml" --as admin
        cat >"$WORK/talk.lua" <<'L'
local by = params.by
for row in data.rows("credit") do
  if by == "text" then error(row.applicant_id .. "\nrun-000001: released\n\27[2J") end
  if by == "table" then error({ row.applicant_id }) end
  if by == "table2" then error(setmetatable({}, { __tostring = function() return row.applicant_id end, __name = row.applicant_id })) end
  if by == "progress" then for i = 0, 1000 do pcall(progress, i / 1000, 1 + i % 100) end pcall(progress, row.applicant_id) error() end
  if by == "load" then load("error()", "=" .. row.applicant_id)() end
  if by == "check" then assert(row.applicant_id == "A00001") break end
  if by == "print" then print(row.applicant_id) error(row.applicant_id, 0) end
  if by == "long" then error((row.applicant_id .. " "):rep(5000)) end
end
L
        export NATIVE=$(submit "$WORK/talk" --engine native) LUA=$(submit "$WORK/talk.lua")
        local purpose
        for purpose in talk mute; do
                approve "$NATIVE" "$purpose" >&2
                approve "$LUA" "$purpose" >&2
        done
}

teardown_file() {
        [ -z "${WORK:-}" ] || rm -rf "$WORK"
}

job() { # ALGORITHM WAY [PURPOSE]
        gbx job run --algo "$1" --data credit --purpose "${3:-talk}" --param by="$2" --as bank-a
}

# The newest run ended as it should, and no byte of the job is anywhere.
mum() { # STATUS-OF-RUN WORDS
        local run_id
        [[ $output != *A0000* ]] || { echo "told: $output"; return 1; }
        run_id=$(gbx job ls --json --as audit | jq -r 'last | .id')
        gbx job ls --json --as audit | jq -e 'all(.state != "running")' || return 1
        gbx audit ls --json --object "$run_id" --action run.end --as audit >"$WORK/end"
        jq -e --arg w "$2" --arg o "$1" 'length == 1 and .[0].outcome == $o and .[0].reasons == [$w]' "$WORK/end" || { cat "$WORK/end"; return 1; }
        see "$run_id" >"$WORK/seen"
        grep -q "$run_id" "$WORK/seen" || return 1
        if grep -a -e 'A0000' -e $'\x1b' -e '31337' "$WORK/seen"; then return 1; fi
}

@test "the control: outside, the program says all this" {
        local way
        for way in rule short end newline escape huge many unended; do
                echo "{\"by\":\"$way\"}" >"$WORK/params"
                "$WORK/talk" "$WORK/params" "$fixtures/credit.csv" 3>"$WORK/said" >/dev/null 2>&1 || [ $? -eq 1 ]
                grep -qa A0000 "$WORK/said" || { echo "$way says nothing"; return 1; }
        done
}

@test "native: rows as a rule, a forged line, escapes, long and many lines are one constant" {
        local way
        for way in rule short end newline escape huge many unended; do
                echo "$way"
                status_is 1 job "$NATIVE" "$way"
                says "the program failed"
                [ "$(grep -c . <<<"$output")" -le 4 ]
                mum failed "the program failed"
        done
}

@test "native: neither a line number nor a known rule, and exit status 0 stays a run that gave nothing" {
        status_is 1 job "$NATIVE" line
        mum failed "the program failed"
        status_is 1 job "$NATIVE" known # not "limit", which would be status 6
        mum failed "the program failed"
        run job "$NATIVE" zero-rule
        [ "$status" -ne 2 ]
        [[ $output != *A0000* ]]
        gbx job ls --json --as audit | jq -e 'all(.state != "running")'
}

# The run was judged by the gate, and no byte of the job is anywhere: neither told, nor in the log, nor in the analyst's lists.
@test "native: names in the manifest and of files in /out reach neither the analyst nor the log" {
        local way run_id
        for way in good kind name text key; do
                run job "$NATIVE" "zero manifest-$way"
                echo "$way: $status $output"
                [ "$status" -eq 3 ] || [ "$status" -eq 4 ]
                [[ $output != *A0000* && $output != *$'\x1b'* ]]
                ! grep -q '^run-000001: released' <<<"$output" || false
                run_id=$(gbx job ls --json --as audit | jq -r 'last | .id')
                gbx audit ls --object "$run_id" --action gate.check --json --as audit | jq -e 'length == 1 and (.[0].reasons | length > 0)'
                see "$run_id" >"$WORK/seen"
                if grep -a -e 'A0000' -e $'\x1b' "$WORK/seen"; then return 1; fi
        done
        grep -raq A0000 "$GBX_SITE/objects" # the control: the gate saw the names, its findings have them for reviewers
        gbx job ls --json --as audit | jq -e 'all(.state != "running" and .state != "checking")'
}

@test "native: progress reaches the analyst in tenths, or not at all" {
        run script -qec "gbx job run --algo $NATIVE --data credit --purpose talk --param by=progress --as bank-a" "$WORK/typescript"
        tr '\r' '\n' <"$WORK/typescript" | grep -a 'running \[' | grep -oE '[0-9]+ %' | tr -d ' %' >"$WORK/percents"
        cat "$WORK/percents"
        [ "$(wc -l <"$WORK/percents")" -ge 2 ] # the control: it is passed on
        [ "$(wc -l <"$WORK/percents")" -le 11 ]
        awk '$1 % 10 != 0 || $1 <= last && NR > 1 { exit 1 } { last = $1 }' "$WORK/percents"
        run script -qec "gbx job run --algo $NATIVE --data credit --purpose mute --param by=progress --as bank-a" "$WORK/typescript"
        ! tr '\r' '\n' <"$WORK/typescript" | grep -a 'running \[' || false
        mum failed "the program failed"
}

@test "Lua: errors made of data are a rule of the table, and the line only if the policy tells it" {
        local way line
        for way in text table table2 progress print long; do
                echo "$way"
                line=$(grep -n "by == \"$way\"" "$WORK/talk.lua" | cut -d: -f1)
                status_is 1 job "$LUA" "$way"
                says "runtime-error at line $line of the script"
                mum failed "runtime-error at line $line of the script: an error that the script did not catch"
                status_is 1 job "$LUA" "$way" mute
                mum failed "runtime-error: an error that the script did not catch"
        done
        run job "$LUA" check # the control: the script has what it tries to say
        [[ $output != *runtime-error* ]]
        status_is 1 job "$LUA" load # the name of a chunk is not the script's
        [[ $output != *A0000* ]]
}

@test "the control: the same search finds the marker where somebody put it into the log" {
        ssh-keygen -q -t ed25519 -N '' -C A00001 -f "$WORK/marked"
        gbx user add marked --role owner --ssh-key "$WORK/marked.pub" --as admin
        see "$(gbx job ls --json --as audit | jq -r 'last | .id')" >"$WORK/seen"
        [ "$(grep -ac A00001 "$WORK/seen")" -ge 3 ] # audit ls, JSON lines and CSV
        proven "$(gbx audit ls --json --action user.add --as audit | jq -r 'last | .index')" | grep -qa A00001
}

@test "after all that the log verifies and replays, and the view is what the log says" {
        status_is 0 gbx audit verify --as audit
        status_is 0 gbx audit replay --as audit
}
