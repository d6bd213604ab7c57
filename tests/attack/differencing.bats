#!/usr/bin/env bats
# Claim: two runs whose tables each keep the minimum count cannot be put together to single somebody out (threat E19,
# differencing), whoever asks for them and in whichever order. In the demo's data one applicant has no marital status:
# the table by records counts that person, the table by marital status and records does not.
load ../e2e/site.bash

setup() {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
        WORK=$(mktemp -d)
        make_site "$WORK" >&2
        LUA=$(submit "$demo/default-rate.lua")
        approve "$LUA" >&2
}

teardown() {
        rm -rf "$WORK"
}

job() { # WHO GROUPING
        gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by="$2" --as "$1"
}

@test "control: each of the two tables passes alone, and others beside it" {
        status_is 0 job bank-a marital,records
        status_is 0 job bank-a marital,records # once more: the same counts
        status_is 0 job bank-a home            # nothing in common with it
}

@test "the parts, then the whole: held, and the analyst learns the rule alone" {
        status_is 0 job bank-a marital,records
        status_is 4 job bank-a records
        says "differencing"
        [[ $output != *release-0* ]] # nor with which release
        held=$(gbx job ls --json | jq -r 'last | .id')
        status_is 0 gbx review show "$held" --as wang
        says "a group of 1 can be computed"
        says "release-000001"
}

@test "the whole, then the parts, by another analyst" {
        status_is 0 job bank-b records
        status_is 4 job bank-a marital,records
        says "differencing"
}

@test "what is held is not a release: it takes nothing away from others" {
        status_is 4 job bank-a job,home
        says "minimum-count"
        status_is 0 job bank-a job
}

@test "the same holds for the next version of the data, and replay agrees with every decision" {
        status_is 0 job bank-a records
        head -n -3 "$fixtures/credit.csv" | age -r "$(gbx keys recipient)" -o "$WORK/less.age"
        gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" --key "$PEOPLE/fund" "$WORK/less.age" --as fund
        approve "$LUA" >&2
        status_is 4 job bank-a records
        says "differencing"
        status_is 0 gbx audit replay --as audit
}
