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
