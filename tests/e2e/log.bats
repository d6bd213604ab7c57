# The action log in the hands of an auditor: C2SP formats, verification, proofs, exports.
load site.bash

LOG_KEY="PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg"
LOG_VKEY="example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
}

teardown_file() {
        rm -rf "$WORK"
}

# Makes a log of the entries given on standard input.
build_log() { # DIR
        echo "$LOG_KEY" >"$WORK/log.key"
        "$build/tests/log-build" "$1" "$WORK/log.key" example.com/log/testdata
}

@test "inclusion proofs: all published vectors" {
        status_is 0 "$build/tests/inclusion-vectors" tests/fixtures/tlog/inclusion
        [ "${lines[-1]}" = "98 passed, 0 failed" ]
}

@test "consistency proofs: all published vectors" {
        status_is 0 "$build/tests/consistency-vectors" tests/fixtures/tlog/consistency
        [ "${lines[-1]}" = "98 passed, 0 failed" ]
}

@test "the same entries and key give the tree and files of another implementation (Tessera's test log)" {
        printf '%s\n' one two three four five six seven eit nain ten ileven twelf threeten fourten fivten | build_log "$WORK/tessera"
        [ "$(sed -n 2,3p "$WORK/tessera/checkpoint")" = "15
rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=" ]
        [ "$(find "$WORK/tessera" -path '*/.state' -prune -o -type f -printf '%P\n' | sort | md5sum)" = \
          "$({ echo checkpoint; for w in $(seq 15); do echo "tile/0/000.p/$w"; echo "tile/entries/000.p/$w"; done; } | sort | md5sum)" ]
        printf '\0\3one\0\3two\0\5three' | cmp - "$WORK/tessera/tile/entries/000.p/3"
        gbx audit verify --log "$WORK/tessera" --vkey "$LOG_VKEY"
}

@test "an independent verifier (Python, from the specifications) agrees on a log of 600 entries" {
        seq -f 'entry %g' 600 | build_log "$WORK/six"
        status_is 0 python3 tests/tools/verify-log.py "$WORK/six" "$LOG_VKEY"
        [ "$output" = "600 entries verified" ]
        gbx audit verify --log "$WORK/six" --vkey "$LOG_VKEY"
        printf x | dd of="$WORK/six/tile/entries/001" bs=1 seek=100 conv=notrunc status=none
        run python3 tests/tools/verify-log.py "$WORK/six" "$LOG_VKEY"
        [ "$status" -ne 0 ]
}

@test "a flipped byte: exit code 5, and the entry is named" {
        cp -r "$WORK/tessera" "$WORK/bad"
        printf x | dd of="$WORK/bad/tile/entries/000.p/15" bs=1 seek=12 conv=notrunc status=none # in "three"
        status_is 5 gbx audit verify --log "$WORK/bad" --vkey "$LOG_VKEY"
        [[ "$output" == *"entry 2: tile/entries/000.p/15 does not hold what was signed"* ]]
        status_is 5 gbx audit verify --log "$WORK/bad" --vkey "$LOG_VKEY" --json
        [ "$(jq .bad_first <<<"$output")" = 2 ]
        [ "$(jq .verified <<<"$output")" = false ]
}

@test "another key, no key, no log: refused" {
        status_is 5 gbx audit verify --log "$WORK/tessera" --vkey "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        status_is 2 gbx audit verify --log "$WORK/tessera"
        status_is 2 gbx audit verify --log "$WORK/tessera" --vkey nonsense
        status_is 5 gbx audit verify --log "$WORK" --vkey "$LOG_VKEY"
}

@test "a kept checkpoint shows that history goes on, and that it does not" {
        seq 10 | build_log "$WORK/ten"
        cp "$WORK/ten/checkpoint" "$WORK/kept"
        seq 20 | build_log "$WORK/twenty"
        gbx audit verify --log "$WORK/twenty" --vkey "$LOG_VKEY" --against "$WORK/kept"
        { seq 9; echo another; seq 11 20; } | build_log "$WORK/rewritten"
        status_is 5 gbx audit verify --log "$WORK/rewritten" --vkey "$LOG_VKEY" --against "$WORK/kept"
        cp "$WORK/twenty/checkpoint" "$WORK/kept-20"
        status_is 5 gbx audit verify --log "$WORK/ten" --vkey "$LOG_VKEY" --against "$WORK/kept-20"
        [[ "$output" == *"entries were removed, or an older copy of the log was put back"* ]]
}

@test "a proof is checked without the log, and fails for another entry, key or byte" {
        gbx audit prove 3 --log "$WORK/twenty" --out "$WORK/proof"
        status_is 0 gbx audit check-proof "$WORK/proof" --vkey "$LOG_VKEY"
        [[ "$output" == *"verified: entry 3 of example.com/log/testdata"* ]]
        printf 4 >"$WORK/entry"
        gbx audit check-proof "$WORK/proof" --vkey "$LOG_VKEY" --entry "$WORK/entry"
        printf 5 >"$WORK/entry"
        status_is 5 gbx audit check-proof "$WORK/proof" --vkey "$LOG_VKEY" --entry "$WORK/entry"
        status_is 5 gbx audit check-proof "$WORK/proof" --site "$GBX_SITE"
        sed '3s/index 3/index 4/' "$WORK/proof" >"$WORK/moved"
        status_is 5 gbx audit check-proof "$WORK/moved" --vkey "$LOG_VKEY"
        sed '2d' "$WORK/proof" >"$WORK/bare" # without the entry
        status_is 2 gbx audit check-proof "$WORK/bare" --vkey "$LOG_VKEY"
        printf 4 >"$WORK/entry"
        gbx audit check-proof "$WORK/bare" --vkey "$LOG_VKEY" --entry "$WORK/entry"
}

@test "the site's log: ls filters, export writes JSON lines, CSV and OpenLineage" {
        status_is 0 gbx audit ls --action user --json --as audit
        [ "$(jq 'length > 2 and all(.action == "user.add")' <<<"$output")" = true ]
        status_is 0 gbx audit ls --action user --object bank-a --json --as audit
        [ "$(jq 'length' <<<"$output")" = 1 ]
        status_is 0 gbx audit ls --since 2099-01-01 --json --as audit
        [ "$output" = "[]" ]
        gbx audit export --as audit >"$WORK/all.jsonl"
        [ "$(jq -s 'map(.index) == [range(length)]' "$WORK/all.jsonl")" = true ]
        gbx audit export --format csv --as audit --out "$WORK/all.csv"
        [ "$(python3 -c 'import csv,sys; rows = list(csv.reader(open(sys.argv[1]))); print(len(rows) - 1, len({len(r) for r in rows}))' "$WORK/all.csv")" = \
          "$(wc -l <"$WORK/all.jsonl") 1" ]
        status_is 1 gbx audit export --as audit --out "$WORK/all.csv" # never overwrites
        status_is 3 gbx audit ls --as bank-a
}

@test "verifying the site is an action of its own; a flipped byte of the site's log names the entry" {
        gbx audit verify --as audit
        [ "$(gbx audit ls --action audit.verify --json --as audit | jq -r '.[0].actor')" = audit ]
        cp -r "$GBX_SITE" "$WORK/copy"
        bundle=$(ls -v "$WORK"/copy/log/tile/entries/000.p/* | tail -1)
        printf '#' | dd of="$bundle" bs=1 seek=20 conv=notrunc status=none
        status_is 5 gbx audit verify --site "$WORK/copy" --as audit
        [[ "$output" == *"entry 0: "* ]]
}

@test "docs/log-format.md lists exactly the actions and fields of the schemas" {
        diff <(sed -n '/^<!-- actions/,/^<!-- end/p' docs/log-format.md | sed '1d;$d') <("$build/tests/log-actions")
}
