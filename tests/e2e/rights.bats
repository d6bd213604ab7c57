# Who may give which command, and whose they see: one table of verbs and roles, through the real command line. A letter says
# what comes of it: y done or a complaint about the request itself, n refused (exit code 3), o done and one's own alone.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        printf 'release.table{}\n' >"$WORK/a.lua"
        printf 'release.table{} -- of another\n' >"$WORK/b.lua"
        export SCRIPT=$(submit "$WORK/a.lua")
        export OTHER=$(gbx algo submit "$WORK/b.lua" --as bank-b --json | jq -r .digest)
        ssh-keygen -q -t ed25519 -N '' -f "$PEOPLE/second"
        gbx user add second --role owner --ssh-key "$PEOPLE/second.pub" --as admin
        sed 's/^dataset: credit/dataset: hidden/' "$demo/credit.schema.yaml" >"$WORK/hidden.yaml"
        gbx data add hidden "$PEOPLE/credit.csv.age" --owner second --schema "$WORK/hidden.yaml" --as second
        gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --as bank-a || true # denied, and a run
        gbx job run --algo "$SCRIPT" --data credit --purpose credit-scoring --param by=home --as bank-b || true
}

teardown_file() {
        rm -rf "$WORK"
}

# analyst reviewer admin auditor owner nobody, and the command
rights() {
        sed -e 's/#.*//' -e '/^ *$/d' <<END
o o y y o n   status
y y y y y y   keys
n n y y n n   heartbeat
n n y n n n   user add li --role reviewer
n n y n n n   user remove nobody-here
o o y y o n   user ls
y y y y y y   policy check $demo/credit-scoring.yaml
n n y n n n   policy withdraw credit-scoring --dry-run
y y y y y n   policy ls
y y y y y n   policy show credit-scoring
n n n n y n   data prepare credit $PEOPLE/credit.csv.age --owner fund --schema $demo/credit.schema.yaml
n n n n y n   data add --intake incoming-0000000000000000
n n n n y n   data discard incoming-0000000000000000
n n y n y n   data revoke nothing
n n y n y n   data destroy nothing --confirm nothing
o o y y o n   data ls
y y y y y n   data show credit
n n y y y n   data usage credit
n n n n y n   data transfer-statement credit --to second
y n n n n n   algo submit $WORK/a.lua
o y y y n n   algo ls
y y y y n n   algo show $SCRIPT
y y y y n n   algo show $SCRIPT --source
n y n n n n   review ls
n y n n n n   review statement $SCRIPT --purpose credit-scoring
n y n n n n   review show run-000099
n y n n n n   review reject run-000099 --reason x
y n y n n n   job cancel run-000099
n n y n n n   service recover
y n n n n n   job fetch run-000099
o y y y o n   job ls
y y y y y n   job show run-000001
o n y y n n   release ls
y y y y y y   release verify $demo/credit-scoring.yaml $demo/credit-scoring.yaml
n n y y n n   flows ls
n n y y n n   flows usage
n n y y n n   flows breakers
n n y n n n   flows cut --run run-000099
n n y n n n   flows close-breaker --analyst nobody
n n n y n n   trace $WORK/a.lua
n n y y n n   audit ls
n n y y n n   audit export
n n y y n n   audit verify
n n y y n n   audit prove 0 --out -
n n y y n n   audit replay
n n y y n n   audit witness --known
n n y y n n   audit ls --log $GBX_SITE/log
n n y y n n   audit export --log $GBX_SITE/log
n n y y n n   audit prove 0 --out - --log $GBX_SITE/log
n n y y n n   audit verify --log $GBX_SITE/log --vkey $(gbx keys log)
n n y n n n   keys rotate site
n n y n n n   backup $WORK/backup-$BATS_TEST_NUMBER
END
}

@test "each verb asks for its role, and of those without it none gets an answer" {
        rights >"$WORK/table"
        while read -r analyst reviewer admin auditor owner nobody command; do
                for pair in "bank-a $analyst" "wang $reviewer" "admin $admin" "audit $auditor" "fund $owner" "mallory $nobody"; do
                        who=${pair% *}
                        rm -rf "$WORK"/backup-*
                        # shellcheck disable=SC2086
                        run gbx $command --as "$who"
                        if [ "${pair#* }" = n ] && [ "$status" -ne 3 ]; then
                                echo "$who: gbx $command ended with $status, expected 3: $output"
                                return 1
                        elif [ "${pair#* }" != n ] && { [ "$status" -eq 3 ] || [[ $output == *"asks for the role"* ]]; }; then
                                echo "$who: gbx $command was refused: $output"
                                return 1
                        fi
                done
        done <"$WORK/table"
}

@test "the table above has each verb that a site is asked for" {
        rights >"$WORK/table"
        gbx --help | sed -nE 's/^  ([a-z]+( [a-z-]+)?) {2,}.*/\1/p' | grep -vxE 'help|completion|api|init|restore|audit rebuild|audit anchor|audit check-proof' \
                | grep -vxE 'policy apply|policy explain|data transfer|algo try|review approve|job run' >"$WORK/verbs" # files, keys, a sandbox: their own tests
        while read -r verb; do
                sed -E 's/^([yno] ){5}[yno] +//' "$WORK/table" | grep -qE "^$verb( |$)" || { echo "not in the table: $verb"; return 1; }
        done <"$WORK/verbs"
}

@test "a refusal is an entry, and what may not be read is not told by --log either" {
        before=$(gbx audit ls --action access.denied --as audit --json | jq length)
        status_is 3 gbx audit prove 0 --out - --log "$GBX_SITE/log" --as bank-a
        [ -z "$(gbx audit prove 0 --out - --log "$GBX_SITE/log" --as bank-a 2>/dev/null)" ]
        ln -s "$GBX_SITE/log" "$WORK/link"
        status_is 3 gbx audit ls --log "$WORK/link" --as bank-a
        status_is 3 gbx audit ls --log "$GBX_SITE/log/../log/." --as bank-a
        [ "$(gbx audit ls --action access.denied --as audit --json | jq length)" -gt "$before" ]
        cp -r "$GBX_SITE/log" "$WORK/copy" # a copy is its holder's
        status_is 0 gbx audit ls --log "$WORK/copy" --as bank-a
        status_is 0 gbx audit verify --log "$WORK/copy" --vkey "$(gbx keys log)" --as bank-a
}

@test "an analyst sees what is one's own" {
        [ "$(gbx user ls --as bank-a --json | jq -c '[.[].name]')" = '["bank-a"]' ]
        [ "$(gbx algo ls --as bank-a --json | jq -c '[.[].submitter] | unique')" = '["bank-a"]' ]
        [ "$(gbx job ls --as bank-a --json | jq -c '[.[].requester] | unique')" = '["bank-a"]' ]
        [ "$(gbx job ls --as wang --json | jq -c '[.[].requester] | unique')" = '["bank-a","bank-b"]' ]
        status_is 1 gbx algo show "$OTHER" --as bank-a
        status_is 1 gbx algo show "$OTHER" --source --as bank-a
        status_is 1 gbx job show run-000002 --as bank-a
        [ "$(gbx release ls --as bank-a --json)" = '[]' ]
        gbx status --as bank-a --json | jq -e '(has("entries") or has("covered") or has("users") | not) and .runs == 1 and .algorithms == 1'
        gbx status --as audit --json | jq -e '.entries > 1 and .runs == 2'
        # nor what grows with what others do: numbers of entries
        gbx job ls --as bank-a --json | jq -e 'all(has("seq") or has("state_seq") or has("denied") | not)'
        gbx user ls --as bank-a --json | jq -e 'all(has("seq") | not)'
        gbx data ls --as bank-a --json | jq -e 'all(has("seq") or has("bytes") or has("stored") or has("ciphertext") | not)'
}

@test "an owner sees the own datasets, and of runs those on them; an analyst what a policy names" {
        [ "$(gbx data ls --as fund --json | jq -c '[.[].name] | unique')" = '["credit"]' ]
        [ "$(gbx data ls --as second --json | jq -c '[.[].name] | unique')" = '["hidden"]' ]
        [ "$(gbx data ls --as bank-a --json | jq -c '[.[].name] | unique')" = '["credit"]' ]
        [ "$(gbx data ls --as audit --json | jq -c '[.[].name] | unique')" = '["credit","hidden"]' ]
        status_is 1 gbx data show credit --as second
        status_is 1 gbx data show hidden --as bank-a
        [ "$(gbx job ls --as fund --json | jq length)" = 2 ]
        [ "$(gbx job ls --as second --json | jq length)" = 0 ]
        gbx data show credit --as fund --json | jq -e 'all(.bytes > 0)'
        status_is 3 gbx data usage credit --as second
}

@test "a copy of the log is read under its checkpoint: an entry that was changed is not listed but named" {
        rm -rf "$WORK/copy"
        cp -r "$GBX_SITE/log" "$WORK/copy"
        status_is 0 gbx audit ls --log "$WORK/copy" --as audit
        [[ $output == *" user.add "* ]]
        find "$WORK/copy/tile/entries" -type f -exec sed -i '0,/"action":"user.add"/s//"action":"user.odd"/' {} +
        ! cmp -s <(cat "$GBX_SITE"/log/tile/entries/000.p/*) <(cat "$WORK"/copy/tile/entries/000.p/*)
        status_is 5 gbx audit ls --log "$WORK/copy" --as audit
        says "entry "
        [[ $output != *"user.odd"* ]]
        status_is 5 gbx audit export --log "$WORK/copy" --as audit
}
