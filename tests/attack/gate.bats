#!/usr/bin/env bats
# Claim: nothing that a job leaves in /out gets past the release gate but canonical tables that the policy allows
# (threats E17, hostile output, and E19, release bypass). Each attack stands beside a positive control: the same
# outputs without the attack pass. The real gate runs, in its sandbox, over a real detached tmpfs.

setup_file() {
        export BUILD="${BUILD:-build}" D="$BATS_FILE_TMPDIR"
        [ "$(id -u)" -eq 0 ] || skip "needs root: deliveries are detached mounts"
        cat >"$D/open.yaml" <<-'X'
		policy: p
		purpose: p
		datasets: [d]
		engines: [native]
		approvals: { required: 1, reviewers: [w] }
		limits: { output-size: 8M, output-files: 8 }
		release: { minimum-count: 10, max-rows: 5000, max-size: 1M, max-tables: 1, declared-counts: trust-reviewed-code }
	X
        cat >"$D/closed.yaml" <<-'X'
		policy: p
		purpose: p
		datasets: [d]
		engines: [native]
		approvals: { required: 1, reviewers: [w] }
		release:
		  minimum-count: 10
		  outputs: [rates]
		  columns:
		    - { name: job, type: text, values: [fixed, others] }
		    - { name: n, type: integer }
		    - { name: rate, type: decimal, unit: 0.01 }
	X
        # What an honest job leaves.
        cat >"$D/good" <<-'X'
		cat >release.json <<-'M'
		{"version":1,"outputs":[{"file":"rates.csv","kind":"table","columns":[
		{"name":"job","type":"text","role":"key"},{"name":"n","type":"integer","role":"count"},
		{"name":"rate","type":"decimal","role":"value","unit":"0.001"}]}]}
		M
		printf 'job,n,rate\nfixed,20,0.25\nothers,30,0.5\n' >rates.csv
	X
}

# gate POLICY COMMAND…: the honest outputs, then COMMAND in /out, then the gate.
gate() {
        local policy=$1
        shift
        run "$BUILD/tests/gate-run" "$D/$policy.yaml" ". $D/good; $*"
}
# Helpers are single commands that fail: a test stops at the first one (`a && b` would not, nor does `! a`).
has() { grep -qE "$1" <<<"$output" || { echo "not found: $1 in: $output"; return 1; }; }
lacks() {
        if grep -qE "$1" <<<"$output"; then
                echo "found: $1 in: $output"
                return 1
        fi
}
passes() { # the gate has nothing to say and gives one table
        [ "$status" -eq 0 ] || { echo "$output"; return 1; }
        lacks '^(fail|review) ' || return 1
        [ "$(grep -c '^== ' <<<"$output")" -eq 1 ]
}
fails_with() { # RULE: found, whatever comes out for a reviewer
        [ "$status" -eq 0 ] || { echo "$output"; return 1; }
        has "^fail $1 "
}
refused_with() { # RULE: found, and no table comes out, not even for a reviewer
        fails_with "$1" || return 1
        lacks '^== '
}
table() { sed '1,/^== /d' <<<"$output"; }
# Everything that an analyst, a recipient or a log of the analyst could see: rules, aliases and tables.
visible() { grep -E '^== ' <<<"$output" | cut -d' ' -f2 && table && awk '$1 != "pass" && !/^==/ { print $1, $2, $3 }' <<<"$output"; }

@test "control: honest outputs pass under both policies" {
        gate open :
        passes
        [ "$(table)" = "$(printf 'job,n,rate\nfixed,20,0.250\nothers,30,0.500')" ]
        gate closed :
        passes
        [ "$(table)" = "$(printf 'job,n,rate\nfixed,20,0.25\nothers,30,0.50')" ]
}

# --- E17: hostile output -------------------------------------------------------------

@test "a symbolic link to a file of the host is not followed" {
        gate open 'cp rates.csv ../tmp/x 2>/dev/null; rm rates.csv; ln -s /etc/passwd rates.csv'
        refused_with output-entry
        lacks root:
}

@test "a symbolic link in place of the manifest is not followed" {
        printf '%s' '{"version":1,"outputs":[]}' >"$D/elsewhere.json"
        gate open "rm release.json; ln -s $D/elsewhere.json release.json"
        refused_with output-entry
}

@test "a symbolic link beside honest outputs stops them all" {
        gate open 'ln -s /proc/self/mem extra'
        refused_with output-entry
}

@test "a fifo does not make the gate wait" {
        SECONDS=0
        gate open 'rm rates.csv; mkfifo rates.csv'
        refused_with output-entry
        [ "$SECONDS" -lt 10 ]
}

@test "a device is not read" {
        gate open 'rm rates.csv; mknod rates.csv c 1 5'
        refused_with output-entry
}

@test "a socket is not opened" {
        gate open '/usr/bin/python3 -I -c "import socket; socket.socket(socket.AF_UNIX).bind(\"extra\")"'
        refused_with output-entry
}

@test "a hard link is not taken" {
        gate open 'ln rates.csv extra'
        refused_with output-entry
}

@test "a directory, however deep, is not entered" {
        gate open 'mkdir -p a/b/c/d && cp rates.csv a/b/c/d/'
        refused_with output-entry
}

@test "a file that somebody can still write is not read at all" {
        gate open '(exec 9>>rates.csv; : >opened; exec sleep 5) >/dev/null 2>&1 & until [ -e opened ]; do sleep 0.01; done; rm opened'
        [ "$status" -eq 1 ]
        has '[Bb]usy|still|writ'
        lacks '^== '
}

@test "a file that is larger than the policy allows is not parsed" {
        gate open 'head -c 7M /dev/zero | tr "\0" x >>rates.csv'
        refused_with table-size
}

@test "a sparse bomb costs nothing" {
        SECONDS=0
        gate open 'truncate -s 7M rates.csv'
        refused_with table-size
        [ "$SECONDS" -lt 10 ]
}

@test "more files than the policy allows" {
        gate open 'for i in $(seq 1 20); do : >f$i; done'
        refused_with output-limit
}

@test "a million columns" {
        SECONDS=0
        gate open '/usr/bin/python3 -I -c "print(\",\".join([\"c\"]*1000000))" >rates.csv'
        refused_with 'table-(syntax|header|size)'
        [ "$SECONDS" -lt 10 ]
}

@test "a million columns in the manifest" {
        gate open '/usr/bin/python3 -I -c "
import json
print(json.dumps({\"version\":1,\"outputs\":[{\"file\":\"rates.csv\",\"kind\":\"table\",\"columns\":[{\"name\":f\"c{i}\",\"type\":\"integer\",\"role\":\"count\"} for i in range(100000)]}]}))" >release.json'
        refused_with manifest-invalid
}

@test "JSON nested a hundred thousand deep" {
        gate open '/usr/bin/python3 -I -c "print(\"[\"*100000+\"]\"*100000)" >release.json'
        refused_with manifest-invalid
        gate open '/usr/bin/python3 -I -c "print(\"{\\\"version\\\":1,\\\"outputs\\\":\"+\"[\"*1500+\"]\"*1500+\"}\")" >release.json'
        refused_with manifest-invalid
}

@test "duplicate keys, a second value behind the first, a wrong version" {
        gate open 'sed -i "s/\"version\":1/\"version\":1,\"version\":1/" release.json'
        refused_with manifest-invalid
        gate open 'echo "{}" >>release.json'
        refused_with manifest-invalid
        gate open 'sed -i "s/\"version\":1/\"version\":2/" release.json'
        refused_with manifest-invalid
}

@test "NUL bytes" {
        gate open 'printf "job,n,rate\nfi\0xed,20,0.25\n" >rates.csv'
        refused_with table-syntax
}

@test "formulas, in each form that spreadsheets take" {
        for text in '=cmd' '+1+1' '-1+1' '@SUM' '"=HYPERLINK(""http://x"",1)"'; do
                gate open "printf 'job,n,rate\n%s,20,0.25\n' '$text' >rates.csv"
                refused_with cell-formula
        done
        for text in '"	=1"' '"
=1"'; do
                gate open "printf 'job,n,rate\n%s,20,0.25\n' '$text' >rates.csv"
                refused_with cell-control
        done
        gate open "printf 'job,n,rate\n\" =1\",20,0.25\n' >rates.csv"
        refused_with cell-spaces
        gate open "printf 'job,n,rate\na=1,20,0.25\n' >rates.csv" # the control
        passes
}

@test "invalid UTF-8, overlong forms, surrogates" {
        for bytes in '\377' '\300\257' '\355\240\200' '\364\220\200\200'; do
                gate open "printf 'job,n,rate\nx$bytes,20,0.25\n' >rates.csv"
                refused_with cell-encoding
        done
        gate open "printf 'job,n,rate\nJos\303\251,20,0.25\n' >rates.csv" # the control
        passes
}

@test "escape sequences for the reviewer's terminal do not reach it" {
        gate open "printf 'job,n,rate\nx\033[2Jx,20,0.25\n' >rates.csv"
        refused_with cell-control
        gate open 'touch "$(printf "x\033[2Jx")"'
        refused_with output-entry
        lacks "$(printf '\033')"
}

@test "quotes that are not closed, ragged rows, a wrong header, an empty file" {
        for csv in 'job,n,rate\n"fixed,20,0.25\n' 'job,n,rate\nfixed,20\n' 'job,n,rate\nfixed,20,0.25,x\n' ''; do
                gate open "printf '$csv' >rates.csv"
                refused_with table-syntax
        done
        gate open "printf 'job,n,x\nfixed,20,0.25\n' >rates.csv"
        refused_with table-header
}

@test "numbers that are none: hexadecimal, infinities, halves of exponents, separators, more than 64 bits hold" {
        for number in 0x1 inf nan 1e 1e+ e5 . 1e400 123456789012345678901234567890 1_000 '1,5'; do
                gate open "printf 'job,n,rate\nfixed,20,\"$number\"\n' >rates.csv"
                refused_with cell-type
        done
}

@test "numbers as programs write them leave in the one form of the unit" {
        while read -r number canonical; do
                gate open "printf 'job,n,rate\nfixed,20,\"$number\"\n' >rates.csv"
                grep -qx "fixed,20,$canonical" <<<"$output" || { echo "$number: $output"; return 1; }
        done <<<"1e-3 0.001
.5 0.500
2.5E-01 0.250
0.1234567890123456789 0.123"
}

@test "a table whose cells exhaust the gate stays in" {
        gate open '/usr/bin/python3 -I -c "
print(\"job,n,rate\")
for i in range(5001): print(f\"g{i},20,0.25\")" >rates.csv'
        refused_with too-many-rows
        gate open '/usr/bin/python3 -I -c "
print(\"job,n,rate\")
for i in range(5000): print(f\"g{i},20,0.25\")" >rates.csv' # the control
        passes
}

# --- E19: release bypass -------------------------------------------------------------

@test "small cells, cells of nobody, cells that do not say" {
        for count in 9 1 0 ''; do
                gate open "printf 'job,n,rate\nfixed,$count,0.25\n' >rates.csv"
                fails_with minimum-count
        done
        gate open "printf 'job,n,rate\nfixed,10,0.25\n' >rates.csv" # the control
        passes
}

@test "a table without counts" {
        gate open 'sed -i "s/\"role\":\"count\"/\"role\":\"value\"/" release.json'
        fails_with no-count-column
}

@test "one group in two rows, or rows that nothing tells apart" {
        gate open "printf 'job,n,rate\nfixed,20,0.25\nfixed,30,0.5\n' >rates.csv"
        fails_with duplicate-key
        gate open 'sed -i "s/\"role\":\"key\"/\"role\":\"value\"/" release.json'
        fails_with no-key-column
}

@test "an identity column, by its name or by its content" {
        gate closed 'sed -i "s/\"job\"/\"applicant_id\"/" release.json; sed -i "1s/job/applicant_id/" rates.csv'
        fails_with column-not-allowed
        gate closed "printf 'job,n,rate\nA00017,20,0.25\n' >rates.csv"
        fails_with cell-value
        gate open "printf 'job,n,rate\n11010519491231002X,20,0.25\n' >rates.csv"
        fails_with content-scan
        gate open "printf 'job,n,rate\nfixed,13912345678,0.25\n' >rates.csv"
        fails_with content-scan
}

@test "low digits carry nothing: two tables that differ below the unit come out the same" {
        gate open "printf 'job,n,rate\nfixed,20,0.250111\n' >rates.csv"
        passes
        first=$output
        gate open "printf 'job,n,rate\nfixed,20,0.249777\n' >rates.csv"
        passes
        [ "$(table)" = "$(sed '1,/^== /d' <<<"$first")" ]
        gate open "printf 'job,n,rate\nfixed,20,0.251\n' >rates.csv" # the control: above the unit they differ
        [ "$(table)" != "$(sed '1,/^== /d' <<<"$first")" ]
}

@test "the policy's unit is the floor, whatever unit the job declares" {
        gate closed "sed -i 's/0.001/0.000000001/' release.json; printf 'job,n,rate\nfixed,20,0.251234567\n' >rates.csv"
        passes
        [ "$(table)" = "$(printf 'job,n,rate\nfixed,20,0.25')" ]
        gate open "sed -i 's/0.001/0.000000001/' release.json; printf 'job,n,rate\nfixed,20,0.251234567\n' >rates.csv"
        has '^review fine-unit '
}

@test "row order, column order, quoting, line ends and number forms carry nothing" {
        gate closed :
        passes
        expected=$(visible)
        gate closed "printf 'job,n,rate\r\n\"others\",030,\"0.5000\"\r\n\"fixed\",\"20\",00.25\r\n' >rates.csv"
        passes
        [ "$(visible)" = "$expected" ]
        gate closed 'cat >release.json <<-"M"
{"outputs":[{"columns":[{"role":"value","type":"decimal","name":"rate","unit":"0.001"},
{"name":"n","type":"integer","role":"count"},{"name":"job","type":"text","role":"key"}],"kind":"table","file":"rates.csv"}],"version":1}
M
printf "rate,n,job\n0.5,30,others\n0.25,20,fixed\n" >rates.csv'
        passes
        [ "$(visible)" = "$expected" ]
}

@test "file names carry nothing" {
        gate open 'mv rates.csv a17b42c99.csv; sed -i s/rates.csv/a17b42c99.csv/ release.json'
        passes
        [ -z "$(visible | grep a17b42)" ]
        gate closed 'mv rates.csv a17b42c99.csv; sed -i s/rates.csv/a17b42c99.csv/ release.json'
        fails_with output-name
        [ -z "$(visible | grep a17b42)" ]
}

@test "column names carry nothing under a policy that lists them; others are identifiers at most" {
        gate closed 'sed -i "s/\"rate\"/\"rate_17_42\"/" release.json; sed -i "1s/rate/rate_17_42/" rates.csv'
        fails_with column-not-allowed
        gate open 'sed -i "s/\"rate\"/\"=rate\"/" release.json; sed -i "1s/rate/=rate/" rates.csv'
        refused_with manifest-invalid
}

@test "the number of outputs, and files that nobody declared" {
        gate open 'cp rates.csv more.csv'
        fails_with output-undeclared
        gate open '/usr/bin/python3 -I - <<-"P"
import json
m = json.load(open("release.json"))
m["outputs"].append(dict(m["outputs"][0], file="more.csv"))
json.dump(m, open("release.json", "w"))
P
cp rates.csv more.csv'
        fails_with too-many-tables
        gate open 'rm rates.csv'
        refused_with output-missing
}

@test "invisible and look-alike characters do not make two words of one" {
        # zero width space, right-to-left override, soft hyphen, tag character, variation selector
        for bytes in '\342\200\213' '\342\200\256' '\302\255' '\363\240\201\241' '\357\270\201'; do
                gate open "printf 'job,n,rate\nfix${bytes}ed,20,0.25\n' >rates.csv"
                refused_with cell-invisible
        done
        gate closed "printf 'job,n,rate\nfix\320\265d,20,0.25\n' >rates.csv" # Cyrillic e
        fails_with cell-value
}

@test "spaces at the end of a text carry nothing" {
        gate open "printf 'job,n,rate\nfixed ,20,0.25\n' >rates.csv"
        refused_with cell-spaces
}

@test "an output that is no table is never released by the gate itself" {
        gate open 'echo "{\"version\":1,\"outputs\":[{\"file\":\"dump.bin\",\"kind\":\"opaque\"}]}" >release.json; mv rates.csv dump.bin'
        has '^review opaque-output '
        has '^opaque 1$'
        lacks '^== '
}

@test "a share of nobody or of everybody asks for a reviewer" {
        gate open "printf 'job,n,rate\nfixed,20,1\nothers,30,0.5\n' >rates.csv"
        has '^review group-disclosure '
}
