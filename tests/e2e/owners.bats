# Owners: whose a dataset is, how it changes hands, who used it; and what a change of policy takes away.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        for name in ministry other; do
                ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$PEOPLE/$name"
                gbx user add "$name" --role owner --ssh-key "$PEOPLE/$name.pub" --as admin >&2
        done
        export LUA=$(submit "$demo/default-rate.lua")
        approve "$LUA" >&2
        gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a >&2
        export MASTER=$WORK/site
}

teardown_file() { rm -rf "$WORK"; }

setup() {
        export GBX_SITE=$BATS_TEST_TMPDIR/site
        cp -a "$MASTER" "$GBX_SITE"
}

add_as() { # OWNER ACTOR
        gbx data add credit --owner "$1" --schema "$demo/credit.schema.yaml" --key "$PEOPLE/$1" "$PEOPLE/credit.csv.age" --as "$2"
}

sign() { ssh-keygen -q -Y sign -n glovebox -f "$PEOPLE/$1" <"$BATS_TEST_TMPDIR/s" >"$BATS_TEST_TMPDIR/$1.sig" 2>/dev/null; }
transfer() { # AS FROM TO
        gbx data transfer --statement "$BATS_TEST_TMPDIR/s" --from "$BATS_TEST_TMPDIR/$2.sig" --to "$BATS_TEST_TMPDIR/$3.sig" --as "$1"
}

@test "another owner cannot add a version of a name, nor revoke or destroy it; not through an administrator either" {
        status_is 3 add_as other other
        says "belongs to another owner"
        status_is 3 add_as other admin
        status_is 3 gbx data revoke credit --as other
        status_is 3 gbx data destroy credit --confirm credit --as other
        status_is 0 add_as fund fund # the control
        status_is 0 gbx audit replay --as audit
}

@test "a name changes hands when both have signed, and then all rights are the new owner's" {
        gbx data transfer-statement credit --to ministry --as fund >"$BATS_TEST_TMPDIR/s"
        sign fund
        sign ministry
        sign other
        status_is 3 transfer other fund ministry
        run transfer fund fund other
        [ "$status" -ne 0 ]
        run transfer fund other ministry
        [ "$status" -ne 0 ]
        status_is 0 transfer ministry fund ministry
        status_is 3 transfer ministry fund ministry # the same statement again
        status_is 3 add_as fund fund
        status_is 3 gbx data revoke credit --as fund
        status_is 0 add_as ministry ministry
        status_is 0 gbx data revoke credit --as ministry
        status_is 0 gbx audit replay --as audit
}

@test "a statement for an earlier transfer does not come back when the name returns" {
        gbx data transfer-statement credit --to ministry --as fund >"$BATS_TEST_TMPDIR/s"
        sign fund
        sign ministry
        status_is 0 transfer fund fund ministry
        cp "$BATS_TEST_TMPDIR/s" "$BATS_TEST_TMPDIR/first"
        cp "$BATS_TEST_TMPDIR/fund.sig" "$BATS_TEST_TMPDIR/first-fund"
        cp "$BATS_TEST_TMPDIR/ministry.sig" "$BATS_TEST_TMPDIR/first-ministry"
        gbx data transfer-statement credit --to fund --as ministry >"$BATS_TEST_TMPDIR/s"
        sign fund
        sign ministry
        status_is 0 transfer fund ministry fund
        status_is 3 gbx data transfer --statement "$BATS_TEST_TMPDIR/first" --from "$BATS_TEST_TMPDIR/first-fund" \
                --to "$BATS_TEST_TMPDIR/first-ministry" --as fund
        status_is 0 gbx audit replay --as audit
}

@test "destroyed while a version is on its way in: the version does not come in, the receipt is true" {
        mkfifo "$BATS_TEST_TMPDIR/slow.age"
        gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" "$BATS_TEST_TMPDIR/slow.age" --as fund >"$BATS_TEST_TMPDIR/added" 2>&1 &
        adding=$!
        exec 9>"$BATS_TEST_TMPDIR/slow.age"
        head -c 1000 "$PEOPLE/credit.csv.age" >&9
        status_is 0 gbx data destroy credit --confirm credit --as fund # it waits for nobody
        tail -c +1001 "$PEOPLE/credit.csv.age" >&9
        exec 9>&-
        status=0
        wait "$adding" || status=$?
        [ "$status" -ne 0 ]
        grep "changed meanwhile" "$BATS_TEST_TMPDIR/added" || { cat "$BATS_TEST_TMPDIR/added"; return 1; }
        [ -z "$(find "$GBX_SITE/data" "$GBX_SITE/keys" -name 'incoming-*' -o -name 'dataset-*')" ]
        status_is 0 gbx audit replay --as audit
}

@test "readers and short writers wait for no data add" {
        mkfifo "$BATS_TEST_TMPDIR/slow.age"
        gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" "$BATS_TEST_TMPDIR/slow.age" --as fund >/dev/null 2>&1 &
        adding=$!
        exec 9>"$BATS_TEST_TMPDIR/slow.age"
        status_is 0 timeout 20 gbx job ls --as bank-a
        status_is 0 timeout 20 gbx audit ls --as audit
        status_is 0 timeout 20 gbx heartbeat --as admin
        exec 9>&-
        wait "$adding" || true
}

@test "owners see who used their data, and nobody else's owner does" {
        status_is 0 gbx data usage credit --as fund
        says "bank-a"
        gbx data usage credit --as fund --json | jq -e '(.runs | length == 1) and .releases[0].recipient == "bank-a" and .policies[0].state == "in-force" and .runs[0].time'
        status_is 3 gbx data usage credit --as other
        status_is 3 gbx data usage credit --as bank-a
        status_is 0 gbx data usage credit --as audit
}

@test "a policy that names what the site has not is refused with its places" {
        sed 's/reviewers: \[wang, li\]/reviewers: [wang, nobody]/; s/datasets: \[credit\]/datasets: [credit, ghost]/' "$demo/credit-scoring.yaml" >"$BATS_TEST_TMPDIR/p.yaml"
        status_is 2 gbx policy apply "$BATS_TEST_TMPDIR/p.yaml" --as admin
        says "no dataset 'ghost'"
        says "no reviewer 'nobody'"
        [[ $output =~ p.yaml:[0-9]+:[0-9]+ ]]
        sed 's/reviewers: \[wang, li\]/reviewers: [wang, fund]/' "$demo/credit-scoring.yaml" >"$BATS_TEST_TMPDIR/p.yaml"
        status_is 2 gbx policy apply "$BATS_TEST_TMPDIR/p.yaml" --as admin # one who is no reviewer
        status_is 0 gbx policy apply "$BATS_TEST_TMPDIR/p.yaml" --unknown-names --as admin
}

@test "what a change of policy takes away is counted before it is made" {
        sed 's/required: 2/required: 1/' "$demo/credit-scoring.yaml" >"$BATS_TEST_TMPDIR/p.yaml"
        before=$(gbx audit ls --as audit --json | jq length)
        gbx policy apply "$BATS_TEST_TMPDIR/p.yaml" --dry-run --as admin --json | jq -e '(.approvals_lost | length == 2) and .applied == false'
        [ "$(gbx audit ls --as audit --json | jq length)" -eq "$before" ]
        status_is 0 gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a
        gbx policy apply "$BATS_TEST_TMPDIR/p.yaml" --as admin --json | jq -e '(.approvals_lost | length == 2) and .applied'
        status_is 3 gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a
        status_is 0 gbx policy withdraw credit-scoring --as admin
        status_is 3 gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a
        says "no-policy"
        status_is 1 gbx policy withdraw credit-scoring --as admin
        status_is 0 gbx audit replay --as audit
}
