#!/usr/bin/env bats
# The manual is true: its sentences are short, its links lead somewhere, its commands exist, its examples run.
load site.bash
repo=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

setup_file() {
        export WORK=$(mktemp -d)
}
teardown_file() {
        rm -rf "$WORK"
}

check() { # TEXT: as a page of docs/, which is there for the time of the check
        printf '%s\n' "$1" >"$WORK/page.md"
        run "$repo/scripts/check-docs" "$WORK/page.md"
}

@test "README, docs and the READMEs of folders keep the rules" {
        run "$repo/scripts/check-docs"
        echo "$output"
        [ "$status" -eq 0 ]
}

@test "the check finds what it is for" {
        check "$(printf 'One%.0s two ' {1..13}) three."
        [ "$status" -eq 1 ]
        says "a sentence of 27 words"
        check "| $(printf 'one two %.0s' {1..13}) | b |"
        [ "$status" -eq 1 ]
        check "- $(printf 'one two %.0s' {1..13})"
        [ "$status" -eq 1 ]
        check "See [a page](nowhere.md)."
        [ "$status" -eq 1 ]
        says "the link nowhere.md leads nowhere"
        check 'See `gateway/nowhere/none.h`.'
        [ "$status" -eq 1 ]
        says "there is no gateway/nowhere/none.h"
        check 'Give `gbx job launch`.'
        [ "$status" -eq 1 ]
        says "gbx has no command 'gbx job launch'"
        check 'Give `gbx launch`.'
        [ "$status" -eq 1 ]
        check '    gbx job run --algorithm DIGEST'
        [ "$status" -eq 1 ]
        says "has no option --algorithm"
        check "$(printf '```\ngbx user add x --rolle analyst\n```\n')"
        [ "$status" -eq 1 ]
        says "has no option --rolle"
}

@test "the check passes what keeps the rules" {
        check "$(printf 'Twelve words stand here and end. %.0s' {1..9})"
        [ "$status" -eq 0 ]
        check "$(printf '```\n%s\n```\n' "$(printf 'word %.0s' {1..40})")"
        [ "$status" -eq 0 ]
        check 'Give `gbx job run --algo DIGEST --data NAME --purpose PURPOSE` and read `gateway/job/job.h`.'
        [ "$status" -eq 0 ]
}

# The block of a page whose first line says file=NAME.
block() { # PAGE NAME
        awk -v mark="file=$2" '/^```/ { if (inside) exit; for (i = 2; i <= NF; i++) if ($i == mark) inside = 1; next } inside' "$repo/docs/$1"
}

# Runs each line of the blocks marked "```sh run"; a line may say which exit code it must have: # exit N
play() { # PAGE
        local line want count=0
        while IFS= read -r line; do
                want=0
                [[ $line =~ \#\ exit\ ([0-9])$ ]] && want=${BASH_REMATCH[1]}
                echo "\$ $line"
                status=0
                eval "$line" >"$WORK/said" 2>&1 </dev/null || status=$?
                cat "$WORK/said"
                [ "$status" -eq "$want" ] || { echo "ended with $status, not $want"; return 1; }
                count=$((count + 1))
        done < <(awk '/^```/ { inside = !inside && $0 == "```sh run"; next } inside && NF' "$repo/docs/$1")
        [ "$count" -gt 0 ]
}

# A folder as the pages have it: a site, the people's keys, the demo's files.
stage() {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
        mkdir "$BATS_TEST_TMPDIR/stage"
        cd "$BATS_TEST_TMPDIR/stage"
        make_site "$PWD" >&2
        cp "$PEOPLE"/* "$demo"/*.lua "$demo"/*.yaml .
}

@test "command-line.md: its commands do what it says" {
        stage
        play command-line.md
}

@test "site.md: its commands do what it says" {
        stage
        play site.md
}

@test "backup.md: a backup is made and restored as it says" {
        stage
        play backup.md
}

@test "policy-reference.md: its commands do what it says" {
        stage
        play policy-reference.md
}

@test "gate.md: held outputs are let go as it says" {
        stage
        play gate.md
        [ -e out/provenance.intoto.json ]
}

@test "lua.md: the script and its bundle" {
        stage
        block lua.md main.lua >main.lua
        block lua.md algorithm.yaml >algorithm.yaml
        play lua.md
        status_is 0 gbx algo try main.lua --purpose credit-scoring --as bank-a --json
        status_is 2 gbx algo submit "$demo/credit.schema.yaml" --as bank-a
}

@test "README: the exit codes are as its table says" {
        stage
        status_is 2 gbx policy check missing.yaml
        status_is 2 gbx user ls --rolle
        printf 'policy: Wrong\n' >wrong.yaml
        status_is 2 gbx policy check wrong.yaml
        status_is 3 gbx audit ls --as bank-a
        status_is 3 gbx user add x --role analyst --ssh-key li.pub --as wang
        gbx algo submit default-rate.lua --as bank-a
        job() { gbx job run --algo default-rate.lua --data credit --purpose credit-scoring --param "by=$1" --as bank-a; }
        status_is 3 job home
        gbx review approve default-rate.lua --purpose credit-scoring --key wang
        gbx review statement default-rate.lua --purpose credit-scoring --as li >statement
        ssh-keygen -q -Y sign -n glovebox -f wang statement 2>/dev/null # li's statement, another's key
        status_is 5 gbx review approve default-rate.lua --statement statement --signature statement.sig --as li
        gbx review approve default-rate.lua --purpose credit-scoring --key li
        status_is 4 job job,home
        status_is 0 job home
        status_is 1 gbx job fetch run-000009 --output out --as bank-a
        gbx job fetch run-000003 --output out --as bank-a # the first was denied, the second is held
        printf x >>out/default-rate.csv.age
        status_is 5 gbx release verify out/provenance.intoto.json out/default-rate.csv.age
}

@test "release-manifest.md: integers of 64 bits, decimals with exponents, as the engine reads and writes them" {
        mkdir -p "$WORK/try/data" "$WORK/try/job/schema" "$WORK/try/out"
        printf 'i,d\n9223372036854775807,1e+05\n-9223372036854775808,0.5\n' >"$WORK/try/data/x"
        echo '{"columns":[{"name":"i","type":"integer"},{"name":"d","type":"decimal"}]}' >"$WORK/try/job/schema/x.json"
        echo '{}' | tee "$WORK/try/job/params.json" >"$WORK/try/job/limits.json"
        cat >"$WORK/try/script.lua" <<'END'
local rows = {}
for n, i, d in data.each("x", { "i", "d" }) do rows[n] = { k = n, i = i, d = d * 1e20 } end
release.table { name = "t", rows = rows, columns = { { name = "k", type = "integer", role = "key" },
  { name = "i", type = "integer", role = "value" }, { name = "d", type = "decimal", role = "value" } } }
END
        status_is 0 gbx-lua --root "$WORK/try" "$WORK/try/script.lua"
        [ "$(cat "$WORK/try/out/t.csv")" = $'k,i,d\n1,9223372036854775807,1e+25\n2,-9223372036854775808,5e+19' ]
        grep -q 'may have 19 digits; the gate refuses more than 18' "$repo/docs/release-manifest.md"
}
