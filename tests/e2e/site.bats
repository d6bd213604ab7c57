# Sites, people, datasets, policies, algorithms and approvals through the real command line.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        printf 'release.table{}\n' >"$WORK/script.lua"
        export SCRIPT=$(submit "$WORK/script.lua")
}

teardown_file() {
        rm -rf "$WORK"
}

@test "help: every command explains itself and exits 0" {
        gbx --help | sed -nE 's/^  ([a-z]+( [a-z-]+)?) {2,}.*/\1/p' >"$WORK/commands"
        [ "$(wc -l <"$WORK/commands")" -gt 25 ]
        while read -r command; do
                # shellcheck disable=SC2086
                status_is 0 gbx $command --help
                says "Usage: gbx $command"
        done <"$WORK/commands"
}

@test "usage errors exit 2 and say what is wrong" {
        status_is 2 gbx
        status_is 2 gbx frobnicate
        status_is 2 gbx job
        status_is 2 gbx job run --as bank-a
        says "missing option --algo"
        status_is 2 gbx user ls --colour
        says "unknown option"
        status_is 2 gbx data add credit --owner fund --schema x
        says "too few arguments"
        status_is 2 gbx user ls --as
        says "a value is missing"
}

@test "a site is not made over another, and a missing one is named" {
        status_is 1 gbx init
        says "there is a site"
        status_is 1 gbx status --site "$WORK/nowhere"
        says "make one with gbx init"
}

@test "keys and site files are readable by their owner alone" {
        [ -z "$(find "$GBX_SITE/keys" -type f -perm /077)" ]
        [ "$(stat -c %a "$GBX_SITE")" = 700 ]
        [ "$(stat -c %a "$GBX_SITE/keys")" = 700 ]
        chmod 644 "$GBX_SITE/keys/log.key"
        status_is 1 gbx status
        chmod 600 "$GBX_SITE/keys/log.key"
        status_is 0 gbx status
}

@test "roles are enforced, and each refusal is in the log" {
        status_is 3 gbx user add eve --role admin --ssh-key "$PEOPLE/li.pub" --as bank-a
        status_is 3 gbx policy apply "$demo/credit-scoring.yaml" --as fund
        status_is 3 gbx algo submit "$WORK/script.lua" --as wang
        status_is 3 gbx data revoke credit --as bank-a
        status_is 3 gbx trace "$WORK/script.lua" --as bank-a
        status_is 3 gbx policy apply "$demo/credit-scoring.yaml" --as nobody
        status_is 0 gbx audit ls --action access.denied --as audit
        says "bank-a"
        says "wang"
}

@test "users: bad names, keys and recipients are refused" {
        status_is 2 gbx user add 'Eve!' --role analyst --ssh-key "$PEOPLE/li.pub" --as admin
        status_is 2 gbx user add system --role analyst --ssh-key "$PEOPLE/li.pub" --as admin
        status_is 2 gbx user add eve --role king --ssh-key "$PEOPLE/li.pub" --as admin
        status_is 2 gbx user add eve --role analyst --ssh-key "$PEOPLE/li.pub" --age age1qqq --as admin
        echo "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== x" >"$WORK/rsa.pub"
        status_is 2 gbx user add eve --role analyst --ssh-key "$WORK/rsa.pub" --as admin
}

@test "data: what was not encrypted to this site, truncated or altered is refused and leaves nothing" {
        before=$(find "$GBX_SITE/data" "$GBX_SITE/keys" -type f | sort)
        age -r "$(age-keygen -y "$PEOPLE/bank-b.age")" -o "$WORK/other.age" "$fixtures/credit.csv"
        status_is 1 gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" "$WORK/other.age" --as fund
        head -c 200000 "$PEOPLE/credit.csv.age" >"$WORK/short.age"
        status_is 5 gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" "$WORK/short.age" --as fund
        cp "$PEOPLE/credit.csv.age" "$WORK/flipped.age"
        printf '\377' | dd of="$WORK/flipped.age" bs=1 seek=100000 conv=notrunc status=none
        status_is 5 gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" "$WORK/flipped.age" --as fund
        status_is 2 gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" "$fixtures/credit.csv" --as fund
        status_is 2 gbx data add other --owner fund --schema "$demo/credit.schema.yaml" "$PEOPLE/credit.csv.age" --as fund
        says "describes the dataset 'credit'"
        status_is 2 gbx data add credit --owner wang --schema "$demo/credit.schema.yaml" "$PEOPLE/credit.csv.age"
        says "role owner"
        # Owners bring data in; an administrator revokes and destroys.
        status_is 3 gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" "$PEOPLE/credit.csv.age" --as admin
        says "asks for the role owner"
        status_is 5 gbx data add credit --owner fund --key "$PEOPLE/li" --schema "$demo/credit.schema.yaml" "$PEOPLE/credit.csv.age" --as fund
        says "not signed by the owner"
        [ "$before" = "$(find "$GBX_SITE/data" "$GBX_SITE/keys" -type f | sort)" ]
}

@test "data at rest is ciphertext, and the site's own identity does not open it" {
        stored=$(find "$GBX_SITE/data" -type f)
        ! grep -q 'freelance' "$stored" || false
        grep -aq '^age-encryption.org/v1' "$stored"
        ! age -d -i "$GBX_SITE/keys/site.key" "$stored" >/dev/null 2>&1 || false
        age -d -i "$GBX_SITE"/keys/dataset-*.key "$stored" | cmp - "$fixtures/credit.csv"
}

@test "policy: all problems at once, each with file, line and column" {
        printf 'policy: x\nfoo: 1\npurpose: [a]\nlimits: {memory: 12Q}\n' >"$WORK/bad.yaml"
        status_is 2 gbx policy check "$WORK/bad.yaml"
        says "bad.yaml:2:1: unknown key 'foo'"
        says "bad.yaml:3:10:"
        says "bad.yaml:4:18:"
        status_is 2 gbx policy apply "$WORK/bad.yaml" --as admin
        status_is 0 gbx policy check "$demo/credit-scoring.yaml"
}

@test "algorithms: the digest is that of the bytes; the same bytes are taken once" {
        [ "$SCRIPT" = "sha256:$(sha256sum "$WORK/script.lua" | cut -d' ' -f1)" ]
        status_is 1 gbx algo submit "$WORK/script.lua" --as bank-b
        says "submitted before"
        status_is 2 gbx algo submit "$build/gbx" --engine lua --as bank-a
        printf '\033Lua\n' >"$WORK/bytecode.lua"
        printf '\377\376' >>"$WORK/bytecode.lua"
        status_is 2 gbx algo submit "$WORK/bytecode.lua" --as bank-a
        gbx algo show "$SCRIPT" --source | cmp - "$WORK/script.lua"
}

@test "approvals: signature, signer, statement and purpose are all checked (E18)" {
        statement=$WORK/statement
        gbx review statement "$SCRIPT" --purpose credit-scoring --as li >"$statement"
        sign() { rm -f "$2.sig"; ssh-keygen -q -Y sign -n "${3:-glovebox}" -f "$PEOPLE/$1" "$2" 2>/dev/null; }
        take() { gbx review approve "$SCRIPT" --statement "$1" --signature "$1.sig" --as li; }

        sign wang "$statement" # somebody else's key
        status_is 5 take "$statement"
        sign li "$statement" file # another namespace
        status_is 5 take "$statement"
        sign li "$statement"
        sed 's/^decision: approve/decision: approve /' "$statement" >"$WORK/changed"
        cp "$statement.sig" "$WORK/changed.sig"
        status_is 2 take "$WORK/changed"
        sed 's/credit-scoring/other/' "$statement" >"$WORK/purpose"
        sign li "$WORK/purpose"
        status_is 1 take "$WORK/purpose"
        sed -E 's/^policy: sha256:..../policy: sha256:0000/' "$statement" >"$WORK/policy"
        sign li "$WORK/policy"
        status_is 2 take "$WORK/policy"
        sed -E 's/^expires: .*/expires: 2020-01-01T00:00:00Z/' "$statement" >"$WORK/expired"
        sign li "$WORK/expired"
        status_is 2 take "$WORK/expired"
        sed -E 's/^expires: .*/expires: 2099-01-01T00:00:00Z/' "$statement" >"$WORK/long"
        sign li "$WORK/long"
        run take "$WORK/long" # taken or not, it may not make a run possible
        printf 'local x = 1\n' >"$WORK/other.lua"
        other=$(submit "$WORK/other.lua")
        status_is 2 gbx review approve "$other" --statement "$statement" --signature "$statement.sig" --as li # for another algorithm
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/fake"
        gbx user add fake --role reviewer --ssh-key "$WORK/fake.pub" --as admin
        status_is 3 gbx review approve "$SCRIPT" --purpose credit-scoring --key "$WORK/fake" --as fake # a reviewer the policy does not name
        status_is 3 gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --as bank-a
        says "too-few-approvals: 0 of 2"
        status_is 0 take "$statement"
        status_is 0 take "$statement" # the same one again changes nothing
        status_is 0 gbx review approve "$SCRIPT" --purpose credit-scoring --key "$PEOPLE/li" # a second one of the same reviewer counts once
        status_is 3 gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --as bank-a
        says "too-few-approvals: 1 of 2"
        says "approval-repeated"
}

@test "approvals end with rejection, with the reviewer, and with the policy" {
        gbx review approve "$SCRIPT" --purpose credit-scoring --key "$PEOPLE/wang"
        run gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --as bank-a
        [ "$status" -ne 3 ]
        gbx review reject "$SCRIPT" --reason "second thoughts" --as wang
        status_is 3 gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --as bank-a
        says "approval-revoked"
        gbx review approve "$SCRIPT" --purpose credit-scoring --key "$PEOPLE/wang"
        sed 's/minimum-count: 10/minimum-count: 11/' "$demo/credit-scoring.yaml" >"$WORK/stricter.yaml"
        gbx policy apply "$WORK/stricter.yaml" --as admin
        status_is 3 gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --as bank-a
        says "approval-policy"
        gbx policy apply "$demo/credit-scoring.yaml" --as admin
        run gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --as bank-a
        [ "$status" -ne 3 ]
        gbx user remove li --as admin
        status_is 3 gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --as bank-a
        gbx user add li --role reviewer --ssh-key "$PEOPLE/li.pub" --as admin
}

@test "parameters outside the policy are denied without repeating them" {
        status_is 3 gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=applicant_id --as bank-a
        status_is 3 gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --param evil=1 --as bank-a
        status_is 3 gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --as bank-a
        status_is 3 gbx job run --algo "$SCRIPT" --data credit --purpose marketing --param by=home --as bank-a
        says "no-policy"
        status_is 1 gbx job run --algo "$SCRIPT" --data nothing --purpose credit-scoring --param by=home --as bank-a
}

@test "replay agrees with all that happened, and the view can be deleted" {
        status_is 0 gbx audit replay --as audit
        says "0 divergences"
        rm -f "$GBX_SITE"/view.db*
        status_is 0 gbx user ls
        says "bank-a"
        status_is 0 gbx audit rebuild --as audit
        says "equals"
}

@test "heartbeats are numbered, and only administrators make them" {
        status_is 0 gbx heartbeat
        status_is 0 gbx heartbeat --as admin
        status_is 3 gbx heartbeat --as bank-a
        gbx audit ls --action heartbeat --as audit --json | jq -e 'map(.details.number) == [1, 2]'
        status_is 0 gbx audit replay --as audit
}

@test "a view that was tampered with is found out" {
        sqlite3 "$GBX_SITE/view.db" "UPDATE user SET roles='[\"admin\"]' WHERE name='bank-b'"
        status_is 5 gbx audit ls --as audit
        status_is 5 gbx audit replay --as audit
        says "DIFFERS"
        says "the view: user bank-b"
        status_is 0 gbx audit rebuild --as audit
        says "differed: user bank-b"
        status_is 0 gbx audit replay --as audit
        says "the view had been changed: user bank-b" # it stays to be seen
}

@test "a tampered object is found out" {
        digest=${SCRIPT#sha256:}
        object=$GBX_SITE/objects/${digest:0:2}/${digest:2}
        cp "$object" "$WORK/kept"
        printf 'x' >>"$object"
        run gbx algo show "$SCRIPT"
        [ "$status" -eq 5 ]
        cp "$WORK/kept" "$object"
        status_is 0 gbx algo show "$SCRIPT"
}

@test "revoked and destroyed data cannot be used; destruction makes every copy unreadable" {
        cp "$(find "$GBX_SITE/data" -type f | head -1)" "$WORK/backup"
        status_is 2 gbx data destroy credit --as fund
        status_is 0 gbx data revoke credit --as fund
        status_is 3 gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --as bank-a
        says "dataset-unavailable"
        status_is 0 gbx data destroy credit --confirm credit --as fund
        [ -z "$(find "$GBX_SITE/data" -type f)" ]
        [ -z "$(find "$GBX_SITE/keys" -name 'dataset-*')" ]
        for key in "$GBX_SITE"/keys/*; do
                ! age -d -i "$key" "$WORK/backup" >/dev/null 2>&1 || false
        done
        status_is 0 gbx audit replay --as audit
}
