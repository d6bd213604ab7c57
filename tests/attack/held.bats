# E18, E19, E25: held outputs. Who may read and decide, what a decision is about, and what stops it.
load ../e2e/site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        sed '/^release:/i output-review: {required: 2, reviewers: [wang, li, zhao]}' "$demo/credit-scoring.yaml" >"$WORK/two.yaml"
        for name in zhao outsider; do
                ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$PEOPLE/$name"
                gbx user add "$name" --role reviewer --ssh-key "$PEOPLE/$name.pub" --as admin >&2
        done
        gbx policy apply "$WORK/two.yaml" --as admin >&2
        gbx user add bank-a --role analyst --role reviewer --as admin >&2 # whoever asks for a run may have any role
        export LUA=$(submit "$demo/default-rate.lua")
        approve "$LUA" >&2
        for by in job,home home,job; do
                run gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param "by=$by" --as bank-a
                [ "$status" -eq 4 ]
        done
        export MASTER=$WORK/site
}

teardown_file() { rm -rf "$WORK"; }

setup() {
        export GBX_SITE=$BATS_TEST_TMPDIR/site
        cp -a "$MASTER" "$GBX_SITE"
}

word() { # REVIEWER [approve | reject]
        gbx review "${2:-approve}" run-000001 --key "$PEOPLE/$1" --reason "seen by $1"
}
state() { gbx job show run-000001 --json --as audit | jq -r .state; }

@test "two reviewers of the policy's let it go, signed; the manifest names them and the findings they let pass" {
        status_is 4 word wang
        [ "$(state)" = held ]
        status_is 0 word li
        [ "$(state)" = released ]
        status_is 0 gbx job fetch run-000001 --output "$BATS_TEST_TMPDIR/out" --as bank-a
        jq -r .payload "$BATS_TEST_TMPDIR/out/provenance.intoto.json" | base64 -d >"$BATS_TEST_TMPDIR/statement"
        jq -e '.predicate.reviews | map(.reviewer) == ["wang", "li"]' "$BATS_TEST_TMPDIR/statement"
        jq -e '.predicate.overridden | map(.rule) | index("minimum-count")' "$BATS_TEST_TMPDIR/statement"
        status_is 0 gbx audit replay --as audit
}

@test "one reviewer alone, one twice, one whom the policy does not name, the requester" {
        status_is 3 word outsider
        says "review-reviewer"
        status_is 3 word bank-a
        says "asked for this run"
        status_is 4 word wang
        run word wang
        [ "$status" -ne 0 ]
        [ "$(state)" = held ]
        ! ls "$GBX_SITE"/releases/release-* 2>/dev/null
        status_is 0 gbx audit replay --as audit
}

@test "one rejection stops it, whatever the others say" {
        status_is 4 word wang
        status_is 0 word zhao reject
        [ "$(state)" = rejected ]
        status_is 1 word li
        status_is 0 gbx audit replay --as audit
}

@test "the requester does not read, others' reading is an entry" {
        status_is 3 gbx review show run-000001 --as bank-a
        status_is 0 gbx review show run-000001 --as wang
        [ "$(gbx audit ls --action output.read --as audit --json | jq -r '.[].actor')" = wang ]
}

@test "a word without a signature, by another key, about another run, for another reason, by another name" {
        status_is 2 gbx review approve run-000001 --as wang --reason "seen by wang"
        status_is 3 gbx review approve run-000001 --as wang --key "$PEOPLE/li" --reason "seen by wang"
        gbx review statement run-000002 --as wang --reason "seen by wang" >"$BATS_TEST_TMPDIR/s"
        ssh-keygen -q -Y sign -n glovebox -f "$PEOPLE/wang" "$BATS_TEST_TMPDIR/s" 2>/dev/null
        give() { gbx review approve "$1" --statement "$BATS_TEST_TMPDIR/s" --signature "$BATS_TEST_TMPDIR/s.sig" --reason "$2" --as "$3"; }
        status_is 3 give run-000001 "seen by wang" wang
        status_is 3 give run-000002 "another reason" wang
        status_is 3 give run-000002 "seen by wang" li
        status_is 4 give run-000002 "seen by wang" wang # the control
        run give run-000002 "seen by wang" wang         # a second time
        [ "$status" -ne 0 ]
        [ "$(gbx audit ls --action output.review --as audit --json | jq length)" -eq 1 ]
}

@test "the statement of an approval does not reject, nor the other way round" {
        gbx review statement run-000001 --as zhao --reason "why" --reject >"$BATS_TEST_TMPDIR/s"
        ssh-keygen -q -Y sign -n glovebox -f "$PEOPLE/zhao" "$BATS_TEST_TMPDIR/s" 2>/dev/null
        run gbx review approve run-000001 --statement "$BATS_TEST_TMPDIR/s" --signature "$BATS_TEST_TMPDIR/s.sig" --reason why --as zhao
        [ "$(state)" != released ]
        status_is 0 gbx audit replay --as audit
}

@test "a held file replaced, two swapped, one gone" {
        mv "$GBX_SITE/held/run-000001.age" "$BATS_TEST_TMPDIR/one"
        status_is 5 gbx review show run-000001 --as wang
        cp "$GBX_SITE/held/run-000002.age" "$GBX_SITE/held/run-000001.age"
        status_is 5 gbx review show run-000001 --as wang
        status_is 5 word wang
        says "replaced"
        printf '{"tables":[],"findings":{"findings":[],"left_out":0}}' | age -r "$(gbx keys recipient)" -o "$GBX_SITE/held/run-000001.age"
        status_is 5 word wang
        cp "$BATS_TEST_TMPDIR/one" "$GBX_SITE/held/run-000001.age"
        status_is 4 word wang # the control
}

@test "what is held stops when data, an approval or the requester is withdrawn" {
        for withdrawn in "gbx data revoke credit --as fund" "gbx review reject $LUA --reason flaw --as li" "gbx user remove bank-a --as admin"; do
                rm -rf "$GBX_SITE"
                cp -a "$MASTER" "$GBX_SITE"
                status_is 4 word wang
                $withdrawn
                run word zhao
                echo "$withdrawn: $status $output"
                [ "$status" -ne 0 ]
                [ "$(state)" != released ]
                [ "$(gbx release ls --json --as audit | jq length)" -eq 0 ]
                status_is 0 gbx audit replay --as audit
        done
}

@test "two held runs of which each alone would pass: the second is compared with the first when it is decided" {
        status_is 4 word wang
        status_is 0 word li
        second() { gbx review approve run-000002 --key "$PEOPLE/$1" --reason "seen"; }
        run second wang
        if [ "$status" -eq 3 ]; then # what left since bears on it: read again
                says "new findings"
                status_is 4 second wang
        fi
        status_is 0 second zhao
        status_is 0 gbx audit replay --as audit
}

@test "a sealed record or a kept original that was changed is found out when it is used" {
        status_is 4 word wang
        status_is 0 word li
        printf 'x' | dd of="$GBX_SITE/releases/records-000" bs=1 seek=40 conv=notrunc status=none
        status_is 5 gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a
        says "changed or removed"
        gbx job fetch run-000001 --output "$BATS_TEST_TMPDIR/out" --as bank-a
        cp "$GBX_SITE/data"/* "$GBX_SITE/releases/release-000001/default-rate.csv.original.age"
        status_is 5 gbx trace "$demo/credit-scoring.yaml" --as audit
        says "replaced"
}
