# For the tests of gbx-lua: a job's root directory, and ways to run a script in it.

engine_setup() {
        engine=${BUILD:-build}/gbx-lua
        root=$(mktemp -d "$BATS_TEST_TMPDIR/rootXXXX")
        mkdir -p "$root/data" "$root/job/schema" "$root/out"
}

# dataset NAME COLUMNS, content on standard input; COLUMNS as "name:type other:type".
dataset() {
        cat >"$root/data/$1"
        jq -n --arg columns "$2" '{columns: [$columns | split(" ")[] | split(":") | {name: .[0], type: .[1]}]}' \
                >"$root/job/schema/$1.json"
}

params() { echo "$1" >"$root/job/params.json"; }
# Stays in force for the test; without it a script has the limits that script() gives it.
limits() { echo "$1" >"$root/job/limits.json"; }

# Runs the script on standard input: $status, $output (standard error), $report, $printed.
script() {
        cat >"$root/job/script.lua"
        rm -rf "$root/out" && mkdir "$root/out"
        if [ ! -e "$root/job/limits.json" ]; then
                limits '{"instructions": 50000000, "memory_bytes": 67108864, "print_bytes": 65536}'
                touch "$root/default-limits"
        fi
        run bash -c '"$1" --root "$2" "$2/job/script.lua" 3>"$2/report" 2>&1' - "$engine" "$root"
        if [ -e "$root/default-limits" ]; then rm "$root/default-limits" "$root/job/limits.json"; fi
        report=$(tail -n 1 "$root/report")
        printed=$(cat "$root/out/print.txt" 2>/dev/null || true)
}

ends_done() { [ "$status" -eq 0 ] && [ "$report" = '{"end":"done"}' ]; }

# ends_with RULE [LINE]
ends_with() {
        echo "status $status, report $report, output $output"
        [ "$(jq -r .rule <<<"$report")" = "$1" ]
        [ -z "${2:-}" ] || [ "$(jq -r .line <<<"$report")" = "$2" ]
        [ ! -e "$root/out/release.json" ]
        case $1 in *-limit) [ "$status" -eq 6 ] ;; *) [ "$status" -eq 1 ] ;; esac
}
