#!/usr/bin/env bats
# Claim: what a job spends tells an analyst nothing (threat E19: run time, error messages, number of denials). Two jobs
# that spend differently on purpose look the same to the analyst; the positive control is the auditor, who sees both.
load ../e2e/site.bash

setup() {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
        WORK=$(mktemp -d)
        make_site "$WORK" >&2
        same='release.table { name = "default-rate", columns = {
                { name = "job", type = "text", role = "key" }, { name = "applicants", type = "integer", role = "count" } },
                rows = { { job = "fixed", applicants = 100 } } }'
        printf '%s\n' "$same" >"$WORK/little.lua"
        printf 'local t = {} for i = 1, 60000 do t[i] = "x" .. i end\n%s\n' "$same" >"$WORK/much.lua"
        LITTLE=$(submit "$WORK/little.lua")
        MUCH=$(submit "$WORK/much.lua")
        approve "$LITTLE" >&2
        approve "$MUCH" >&2
}

teardown() {
        rm -rf "$WORK"
}

job() { gbx job run --algo "$1" --data credit --purpose credit-scoring --param by=job --as bank-a --json; }
runs() { gbx job ls --json --as "$1" | jq -c '.[] | del(.id, .algorithm, .name, .seq, .request, .release)' | sort -u | wc -l; }

@test "a job's spending shows to the auditor and not to the analyst" {
        little=$(job "$LITTLE" | jq -c .report)
        much=$(job "$MUCH" | jq -c .report)
        echo "$little $much"
        [ "$little" = "$much" ]
        [ "$(runs bank-a)" -eq 1 ]
        [ "$(runs audit)" -eq 2 ] # the control
        [ "$(gbx job show run-000001 --json --as bank-a | jq -r 'has("denied") or has("output") or has("findings")')" = false ]
        [ "$(gbx job show run-000001 --json --as audit | jq -r 'has("denied") and has("output") and has("findings")')" = true ]
}
