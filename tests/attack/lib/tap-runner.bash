#!/bin/bash
# Runs .bats files where there is no bats (the virtual machine of scripts/test-vm): the part of its language
# that the files in tests/attack/ use. Prints TAP.
#   tap-runner.bash FILE.bats...
number=0
log=$(mktemp)
scratch=$(mktemp)

# bats' own commands, as far as used.
load() {
        . "$(dirname "$file")/$1.bash"
}
skip() {
        echo "# skip $1"
        exit 77
}
run() {
        output=$("$@" 2>&1) && status=0 || status=$?
}
setup() { :; }
teardown() { :; }

for file in "$@"; do
        # @test "name" {  becomes  test_N() {  and the names are kept beside.
        awk '/^@test "/ { n++; print "test_" n "() {"; next } { print }' "$file" >"$scratch"
        count=0
        while IFS= read -r name; do
                count=$((count + 1)) number=$((number + 1))
                BATS_TEST_TMPDIR=$(mktemp -d)
                started=$(date +%s)
                (
                        set -e
                        . "$scratch"
                        setup
                        trap 'teardown' EXIT
                        "test_$count"
                ) >"$log" 2>&1 </dev/null
                status=$?
                rm -rf "$BATS_TEST_TMPDIR"
                took="$(($(date +%s) - started)) s"
                case $status in
                0) echo "ok $number $name ($took)" ;;
                77) echo "ok $number $name # skip $(sed -n 's/^# skip //p' "$log")" ;;
                *)
                        echo "not ok $number $name ($took)"
                        sed 's/^/# /' "$log"
                        ;;
                esac
        done < <(sed -nE 's/^@test "(.*)" \{$/\1/p' "$file")
done
echo "1..$number"
