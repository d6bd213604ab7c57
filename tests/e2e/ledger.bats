#!/usr/bin/env bats
# The ledger against a program that knows nothing of it: planted attacks are held, what is held is a disclosure.

setup() {
        cd "$BATS_TEST_DIRNAME/../.." || exit 1
        tools=${BUILD:-build}/tests
        work=$(mktemp -d "$BATS_TEST_TMPDIR/XXXXXX")
}

play() {
        python3 tests/tools/ledger-workloads.py "$1" "$2" "$3" 3>"$work/truth" >"$work/work"
        "$tools/ledger-run" <"$work/work" >"$work/said"
        run python3 tests/tools/ledger-workloads.py judge "$work/truth" <"$work/said"
        echo "$output"
        [ "$status" -eq 0 ]
}

@test "planted attacks of 21 kinds over the public tables are all held" {
        play attacks 105 11
        [[ $output == "attacks: 105 of 21 kinds, 105 blocked"* ]]
}

@test "of ordinary workloads few are held, and each of those is a disclosure that adds up" {
        play ordinary 50 12
        [[ $output == *"in 0 it is not: false blocks 0.0 %" ]]
        [ "$(grep -c ' held ' "$work/said")" -le 2 ]
}

@test "the same releases again give the same words and the same findings" {
        python3 tests/tools/ledger-workloads.py attacks 42 13 3>"$work/truth" >"$work/work"
        "$tools/ledger-run" <"$work/work" | cut -d' ' -f1-5,7- >"$work/one"
        "$tools/ledger-run" <"$work/work" | cut -d' ' -f1-5,7- >"$work/two"
        cmp "$work/one" "$work/two"
        [ "$(grep -c ' held ' "$work/one")" -ge 42 ]
}
