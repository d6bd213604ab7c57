#!/usr/bin/env bats
# gbx policy explain says what gbx job run would decide, and leaves no trace.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        export LUA=$(submit "$demo/default-rate.lua")
}

teardown_file() {
        rm -rf "$WORK"
}

explain() { # PURPOSE WHO [OPTION…]
        gbx policy explain --algo "$LUA" --data credit --purpose "$1" --as "$2" "${@:3}"
}
entries() { gbx audit ls --json --as audit | jq -s 'flatten | length'; }

@test "denied, with every reason" {
        status_is 3 explain credit-scoring wang --param by=age
        says "role: 'wang' is not an analyst"
        says "parameters: parameter 'by' is not among the allowed values"
        says "too-few-approvals: 0 of 2 approvals"
        status_is 3 explain marketing bank-a
        says "no-policy: no policy is in force for the purpose 'marketing'"
}

@test "approvals that do not count are explained" {
        gbx review approve "$LUA" --purpose credit-scoring --key "$PEOPLE/wang"
        gbx review reject "$LUA" --reason "not yet" --as wang
        status_is 3 explain credit-scoring bank-a --param by=job
        says "approval-revoked: the approval by 'wang' was revoked"
        status_is 3 explain credit-scoring bank-a --param by=job --json
        [ "$(jq -r '.outcome' <<<"$output")" = denied ]
}

@test "allowed; and nothing was recorded" {
        approve "$LUA"
        before=$(entries)
        status_is 0 explain credit-scoring bank-a --param by=job
        says "approved: 2 of 2 approvals: wang, li"
        [ "$(entries)" -eq "$before" ]
        status_is 0 gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=job --as bank-a
        [ "$(entries)" -gt "$before" ]
}
