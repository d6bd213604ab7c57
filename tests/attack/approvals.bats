#!/usr/bin/env bats
# Claim: an algorithm runs only if the reviewers whom the policy names signed these very bytes, for these datasets,
# this purpose and this policy, and still stand by it (threat E18). Positive control: the same run with good approvals.
load ../e2e/site.bash

setup() {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
        WORK=$(mktemp -d)
        make_site "$WORK" >&2
        LUA=$(submit "$demo/default-rate.lua")
}

teardown() {
        rm -rf "$WORK"
}

job() { # DIGEST
        gbx job run --algo "$1" --data credit --purpose credit-scoring --param by=home --as bank-a
}
denied() { # REASON…
        status_is 3 job "$LUA"
        says too-few-approvals
        for reason in "$@"; do says "$reason"; done
}
give() { gbx review approve "$LUA" --purpose credit-scoring --key "$PEOPLE/$1" "${@:2}"; }

@test "control: two reviewers approve, and it runs" {
        denied
        approve "$LUA"
        status_is 0 job "$LUA"
}

@test "one byte changed after approval is another algorithm" {
        approve "$LUA"
        sed 's/local total = 4454/local total = 4455/' "$demo/default-rate.lua" >"$WORK/changed.lua"
        cmp -s "$demo/default-rate.lua" "$WORK/changed.lua" && return 1
        LUA=$(submit "$WORK/changed.lua")
        denied
}

@test "one reviewer twice, with a second statement" {
        give wang
        give wang --expires "$(date -u -d '+10 days' +%FT%TZ)"
        denied approval-repeated
}

@test "one person as two reviewers: two names, one key" {
        status_is 3 gbx user add li --role reviewer --ssh-key "$PEOPLE/wang.pub" --as admin
        says "one key, one person"
        sed 's/ [^ ]*$/ another-comment/' "$PEOPLE/wang.pub" >"$WORK/wang-too.pub" # the same key, told otherwise
        status_is 3 gbx user add wang-too --role reviewer --ssh-key "$WORK/wang-too.pub" --as admin
        gbx user remove wang --as admin
        status_is 3 gbx user add wang-too --role reviewer --ssh-key "$WORK/wang-too.pub" --as admin # nor of somebody who left
        status_is 0 gbx user add wang --role reviewer --ssh-key "$WORK/wang-too.pub" --as admin # the control
        give wang --as wang
        run gbx review approve "$LUA" --purpose credit-scoring --key "$PEOPLE/wang" --as li
        denied
}

@test "the submitter as reviewer" {
        sed 's/reviewers: \[wang, li\]/reviewers: [wang, bank-a]/' "$demo/credit-scoring.yaml" >"$WORK/policy.yaml"
        gbx user add bank-a --role analyst --role reviewer --ssh-key "$PEOPLE/bank-a.pub" --age "$(age-keygen -y "$PEOPLE/bank-a.age")" --as admin
        gbx policy apply "$WORK/policy.yaml" --as admin
        give wang
        status_is 3 give bank-a
        says "(approval-submitter)"
        denied
}

@test "the submitter as reviewer under another name, with the own key" {
        status_is 3 gbx user add li --role reviewer --ssh-key "$PEOPLE/bank-a.pub" --as admin
        give wang
        run gbx review approve "$LUA" --purpose credit-scoring --key "$PEOPLE/bank-a" --as li # refused at once or counted for nothing
        denied
}

@test "a reviewer whom the policy does not name" {
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/zhao"
        gbx user add zhao --role reviewer --ssh-key "$WORK/zhao.pub" --as admin
        give wang
        status_is 3 gbx review approve "$LUA" --purpose credit-scoring --key "$WORK/zhao" --as zhao
        says "whom the policy does not name as reviewer (approval-reviewer)"
        status_is 3 gbx review statement "$LUA" --purpose credit-scoring --as zhao
        says "(approval-reviewer)"
        denied
        gbx review statement "$LUA" --purpose credit-scoring --as li >"$WORK/other" # a statement made by hand gains nothing
        sed -E 's/^(reviewer.*[ :])li$/\1zhao/' "$WORK/other" >"$WORK/by-hand"
        ssh-keygen -q -Y sign -n glovebox -f "$WORK/zhao" "$WORK/by-hand" 2>/dev/null
        status_is 3 gbx review approve "$LUA" --statement "$WORK/by-hand" --signature "$WORK/by-hand.sig" --as zhao
        says "(approval-reviewer)"
        denied
}

@test "an approval that has run out" {
        give wang
        give li --expires "$(date -u -d '+2 seconds' +%FT%TZ)"
        status_is 0 job "$LUA"
        sleep 3
        denied approval-expired
}

@test "a reviewer's key that was replaced" {
        approve "$LUA"
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/new"
        gbx user add li --role reviewer --ssh-key "$WORK/new.pub" --as admin
        denied approval-signature approval-before-key
        gbx review approve "$LUA" --purpose credit-scoring --key "$WORK/new" --as li
        status_is 0 job "$LUA"
}

@test "a reviewer who left, lost the role, or thought again" {
        approve "$LUA"
        gbx user remove li --as admin
        denied
        gbx user add li --role auditor --ssh-key "$PEOPLE/li.pub" --as admin
        denied approval-role
        gbx user add li --role reviewer --ssh-key "$PEOPLE/li.pub" --as admin
        denied approval-before-key # back with the same key: what was signed before stays dead
        give li
        status_is 0 job "$LUA"
        gbx review reject "$LUA" --reason "found a flaw" --as li
        denied approval-revoked
}

@test "statement and signature of an approval that was withdrawn, handed in again by somebody who kept them" {
        give wang
        gbx review statement "$LUA" --purpose credit-scoring --as li >"$WORK/kept"
        ssh-keygen -q -Y sign -n glovebox -f "$PEOPLE/li" "$WORK/kept" 2>/dev/null
        take() { gbx review approve "$LUA" --statement "$WORK/kept" --signature "$WORK/kept.sig" --as li; }
        status_is 0 take
        status_is 0 job "$LUA"
        gbx review reject "$LUA" --reason "found a flaw" --as li
        denied approval-revoked
        status_is 3 take
        says "was withdrawn"
        denied approval-revoked
        give li # the control: a new statement, with another nonce
        status_is 0 job "$LUA"
}

@test "the next version of the dataset, another policy of the same purpose" {
        approve "$LUA"
        age -r "$(gbx keys recipient)" -o "$WORK/next.age" "$fixtures/credit.csv"
        gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" --key "$PEOPLE/fund" "$WORK/next.age" --as fund
        denied approval-dataset
        says "is for credit version 1, but the run would use credit version 2"
        approve "$LUA"
        status_is 0 job "$LUA"
        sed 's/max-rows: 500/max-rows: 501/' "$demo/credit-scoring.yaml" >"$WORK/policy.yaml"
        gbx policy apply "$WORK/policy.yaml" --as admin
        denied approval-policy
}

@test "a signature moved under another statement, another namespace, a signature of another kind of key" {
        sign() { ssh-keygen -q -Y sign -n "$1" -f "$2" "$3" 2>/dev/null; }
        take() { gbx review approve "$LUA" --statement "$1" --signature "$2" --as li; }
        give wang
        gbx review statement "$LUA" --purpose credit-scoring --as li >"$WORK/good"
        gbx review statement "$LUA" --purpose credit-scoring --as li --expires "$(date -u -d '+9 days' +%FT%TZ)" >"$WORK/other"
        sign glovebox "$PEOPLE/li" "$WORK/other"
        run take "$WORK/good" "$WORK/other.sig" # replayed
        [ "$status" -ne 0 ]
        sign file "$PEOPLE/li" "$WORK/good"
        run take "$WORK/good" "$WORK/good.sig" # wrong namespace
        [ "$status" -ne 0 ]
        ssh-keygen -q -t rsa -b 2048 -N '' -f "$WORK/rsa"
        rm "$WORK/good.sig"
        sign glovebox "$WORK/rsa" "$WORK/good"
        run take "$WORK/good" "$WORK/good.sig"
        [ "$status" -ne 0 ]
        denied
        rm "$WORK/good.sig"
        sign glovebox "$PEOPLE/li" "$WORK/good" # the control
        status_is 0 take "$WORK/good" "$WORK/good.sig"
        status_is 0 job "$LUA"
}

@test "approved under the purpose, run for none, or by somebody who is no analyst" {
        approve "$LUA"
        status_is 3 gbx job run --algo "$LUA" --data credit --purpose marketing --param by=home --as bank-a
        status_is 3 gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as audit
}
