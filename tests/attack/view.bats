# E25: the log decides, the view helps. An insider who can edit the files of a site, and lacks its keys, edits the view: each
# edit is refused at use with exit code 5, named by a replay, mended by a rebuild, and still named by a replay afterwards.
load ../e2e/site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        export LUA=$(submit "$demo/default-rate.lua")
        approve "$LUA" >&2
        gbx policy ls >/dev/null
        gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a >&2
        run gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=job,home --as bank-a
        [ "$status" -eq 4 ]
        gbx review reject "$LUA" --reason "a flaw" --as li >&2 # wang's approval stands, li's does not
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/other"
        gbx user remove bank-b --as admin >&2
        export MASTER=$WORK/site OTHER=$(cat "$WORK/other.pub")
        age-keygen -o "$WORK/other.age" 2>/dev/null
        export OTHER_AGE=$(age-keygen -y "$WORK/other.age")
}

teardown_file() { rm -rf "$WORK"; }

setup() {
        export GBX_SITE=$BATS_TEST_TMPDIR/site
        cp -a "$MASTER" "$GBX_SITE"
}

run_job() { gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a; }
review_held() { gbx review approve run-000002 --reason "looks fine" --key "$PEOPLE/wang"; }

# The edit is refused where it is used, named, mended, and stays named.
refused_at_use() { # SQL WHAT-REPLAY-NAMES COMMAND…
        local sql=$1 named=$2
        shift 2
        sqlite3 "$GBX_SITE/view.db" "$sql"
        status_is 5 "$@"
        status_is 5 gbx audit replay --as audit
        says "the view: $named"
        status_is 0 gbx audit rebuild --as audit
        says "differed: $named"
        status_is 0 gbx audit replay --as audit
        says "the view had been changed: $named"
}

@test "the control: an untouched view, and one that is made anew" {
        status_is 3 run_job # li took the approval back
        status_is 0 gbx audit replay --as audit
        status_is 0 gbx audit rebuild --as audit
        says "equals"
}

@test "an approval made active again" {
        refused_at_use "UPDATE approval SET state='active'" "approval" run_job
}

@test "an approval made active again, with the entry of its making as evidence" {
        refused_at_use "UPDATE approval SET state='active', state_seq=seq" "approval" run_job
}

@test "the rejection deleted" {
        refused_at_use "DELETE FROM approval WHERE decision='reject'; UPDATE approval SET state='active', state_seq=seq" "approval" run_job
}

@test "a reviewer's key swapped" {
        refused_at_use "UPDATE user SET ssh_key='$OTHER' WHERE name='li'" "user li" run_job
}

@test "the statement of an approval swapped" {
        refused_at_use "UPDATE approval SET statement=(SELECT max(statement) FROM approval), signature=(SELECT max(signature) FROM approval)" \
                "approval" run_job
}

@test "an approval invented" {
        refused_at_use "INSERT INTO approval SELECT seq+100000, algorithm, 'li', decision, purpose, policy, statement, signature, ssh_key,
                expires, time, 'active', state_seq FROM approval WHERE decision='approve' LIMIT 1" "approval" run_job
}

@test "the submitter changed" {
        refused_at_use "UPDATE algorithm SET submitter='wang'" "algorithm" run_job
}

@test "a removed user made active" {
        refused_at_use "UPDATE user SET state='active' WHERE name='bank-b'" "user bank-b" \
                gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-b
}

@test "roles given" {
        refused_at_use "UPDATE user SET roles='[\"admin\"]' WHERE name='bank-a'" "user bank-a" gbx user remove li --as bank-a
}

@test "a recipient's age key changed" {
        refused_at_use "UPDATE user SET age='$OTHER_AGE' WHERE name='bank-a'" "user bank-a" review_held
}

@test "a dataset's owner changed" {
        refused_at_use "UPDATE dataset SET owner='bank-a'" "dataset credit" gbx data revoke credit --as fund
}

@test "a revoked dataset made active" {
        gbx data revoke credit --as fund
        refused_at_use "UPDATE dataset SET state='active', state_seq=seq" "dataset credit" run_job
}

@test "another policy in force" {
        sed 's/required: 2/required: 1/' "$demo/credit-scoring.yaml" >"$BATS_TEST_TMPDIR/weak.yaml"
        gbx policy apply "$BATS_TEST_TMPDIR/weak.yaml" --as admin
        gbx policy apply "$demo/credit-scoring.yaml" --as admin
        refused_at_use "UPDATE policy SET state=CASE WHEN seq=(SELECT min(seq) FROM policy WHERE state='replaced' AND seq>(SELECT min(seq) FROM policy))
                THEN 'in-force' ELSE 'replaced' END" "policy" run_job
}

@test "a held run called released, and its rows deleted" {
        refused_at_use "DELETE FROM run WHERE id='run-000002'" "run run-000002" review_held
}

@test "a rejected run made held again" {
        gbx review reject run-000002 --reason "too small" --key "$PEOPLE/wang"
        refused_at_use "UPDATE run SET state='held' WHERE id='run-000002'" "run run-000002" review_held
}

@test "rows deleted do not brick the site: numbers go on" {
        sqlite3 "$GBX_SITE/view.db" "DELETE FROM run; DELETE FROM release; DELETE FROM counter"
        status_is 5 run_job
        status_is 0 gbx audit rebuild --as audit
        status_is 3 run_job
        says "run-000003"
}

@test "the seal of an older view does not fit newer rows" {
        sqlite3 "$GBX_SITE/view.db" "CREATE TABLE kept AS SELECT * FROM seal" ".dump kept" >"$BATS_TEST_TMPDIR/kept.sql"
        sqlite3 "$GBX_SITE/view.db" "DROP TABLE kept"
        gbx data revoke credit --as fund
        sqlite3 "$GBX_SITE/view.db" <"$BATS_TEST_TMPDIR/kept.sql"
        refused_at_use "DELETE FROM seal; INSERT INTO seal SELECT * FROM kept; DROP TABLE kept; UPDATE dataset SET state='active', state_seq=seq" \
                "dataset credit" run_job
}

@test "a view in place of a table, which could tell the check from the use" {
        sqlite3 "$GBX_SITE/view.db" "ALTER TABLE user RENAME TO kept; CREATE VIEW user AS SELECT * FROM kept WHERE name<>'li' OR random() > 0"
        status_is 5 run_job
        status_is 5 gbx audit replay --as audit
        says "the seal is broken"
        status_is 0 gbx audit rebuild --as audit
        status_is 3 run_job
}

@test "a trigger left in the file" {
        sqlite3 "$GBX_SITE/view.db" "CREATE TRIGGER later AFTER INSERT ON run BEGIN UPDATE user SET state='active'; END"
        status_is 5 run_job
        status_is 0 gbx audit rebuild --as audit
        status_is 3 run_job
}

@test "a whole older view is harmless: what it lacks is applied again" {
        cp "$GBX_SITE/view.db" "$BATS_TEST_TMPDIR/older.db"
        gbx data revoke credit --as fund
        rm -f "$GBX_SITE"/view.db-*
        cp "$BATS_TEST_TMPDIR/older.db" "$GBX_SITE/view.db"
        status_is 3 run_job
        says "dataset-unavailable"
}

@test "a garbled header, a truncated file, a file of zeros, another database" {
        version=$(sqlite3 "$GBX_SITE/view.db" "PRAGMA user_version")
        for damage in "printf 'garbage garbage!' | dd of=V conv=notrunc status=none" "truncate -s 5000 V" \
                "head -c 100000 /dev/zero >V" "rm V; sqlite3 V 'PRAGMA user_version=$version; CREATE TABLE x(y)'"; do
                rm -f "$GBX_SITE"/view.db-*
                (cd "$GBX_SITE" && eval "${damage//V/view.db}")
                run run_job
                [ "$status" -eq 5 ] || { echo "$damage: $status $output"; return 1; }
                status_is 5 gbx audit replay --as audit
                status_is 0 gbx audit rebuild --as audit
                status_is 3 run_job
        done
}

@test "who may not rebuild the view cannot, whatever the view says" {
        sqlite3 "$GBX_SITE/view.db" "UPDATE user SET roles='[\"admin\",\"auditor\"]' WHERE name='bank-a'"
        status_is 3 gbx audit rebuild --as bank-a
        status_is 3 gbx audit replay --as bank-a
        status_is 0 gbx audit rebuild --as audit
}
