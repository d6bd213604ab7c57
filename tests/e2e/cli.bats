# The command line itself: one JSON document, whatever happened; exit codes that mean the same for each verb; help,
# completion, manual pages and OpenAPI from one table.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        printf 'release.table{}\n' >"$WORK/script.lua"
        export SCRIPT=$(submit "$WORK/script.lua")
        gbx --help | sed -nE 's/^  ([a-z]+( [a-z-]+)?) {2,}.*/\1/p' | grep -vxE 'help|completion|api' >"$WORK/commands"
}

teardown_file() {
        rm -rf "$WORK"
}

# Runs gbx with --json; what it prints on standard output must be one document.
one_document() { # COMMAND…
        local status=0
        "$@" --json >"$WORK/out" 2>"$WORK/err" || status=$?
        if [ "$(jq -s length "$WORK/out" 2>/dev/null)" != 1 ] || ! python3 -c 'import json,sys; json.load(open(sys.argv[1], encoding="utf-8"))' "$WORK/out"; then
                echo "not one document: $* (exit status $status)"
                cat "$WORK/out" "$WORK/err"
                return 1
        fi
        if [ "$status" -ne 0 ] && jq -e 'type == "object" and has("error")' "$WORK/out" >/dev/null; then
                [ "$(jq .exit "$WORK/out")" = "$status" ] || { echo "says another exit code than $status: $*"; return 1; }
        fi
}

@test "--json prints one document for each verb, done or refused" {
        while read -r command; do
                # shellcheck disable=SC2086
                one_document gbx $command --as nobody </dev/null # arguments are missing, or nobody may
        done <"$WORK/commands"
        for command in status keys 'keys recipient' 'user ls' 'policy ls' 'policy show credit-scoring' 'data ls' 'data show credit' \
                'data usage credit' 'algo ls' "algo show $SCRIPT" "algo show $SCRIPT --source" 'job ls' 'release ls' 'flows ls' 'flows usage' \
                'flows breakers' 'audit ls' 'audit export' 'audit verify' 'audit replay' 'audit prove 0' 'audit rebuild' heartbeat \
                'user add li --role reviewer' 'policy withdraw credit-scoring --dry-run'; do
                # shellcheck disable=SC2086
                one_document gbx $command
        done
        one_document gbx review ls --as wang
        one_document gbx review statement "$SCRIPT" --purpose credit-scoring --as wang
        one_document gbx review reject "$SCRIPT" --reason "no" --as wang
        one_document gbx trace "$WORK/script.lua" --as audit
        printf 'name,value\na,1\nb,2\n' >"$WORK/suspect.csv"
        one_document gbx trace "$WORK/suspect.csv" --as audit
        one_document gbx init --site "$WORK/second"
        one_document gbx init --site "$WORK/second"
        one_document gbx data revoke nothing --as fund
        one_document gbx job fetch run-000099 --as bank-a
}

@test "--json holds bytes that are not UTF-8 and characters that do not show" {
        one_document gbx job ls --as "$(printf 'x\377y')"
        one_document gbx job show "$(printf 'run\377')"
        one_document gbx policy check "$(printf '/nowhere/\377\033[31m')"
        one_document gbx user add "$(printf '\302')" --role analyst
        one_document gbx "$(printf 'job')" ls --site "$(printf '/\200')"
        printf '\377\376' >"$WORK/bytes.yaml"
        one_document gbx policy check "$WORK/bytes.yaml"
        run gbx policy check "$WORK/bytes.yaml"
        says "bytes.yaml:1:1: not UTF-8"
        gbx algo show "$(submit "$build/gbx-gate")" --source --json 2>/dev/null | jq -re .source.base64 | base64 -d | cmp - "$build/gbx-gate"
        run gbx job show "$(printf 'run\033[31m')" # nothing is obeyed by a terminal
        [[ $output != *$'\033'* ]]
}

@test "a policy's problems are in the one document" {
        printf 'policy: x\nfoo: 1\npurpose: [a]\n' >"$WORK/bad.yaml"
        one_document gbx policy check "$WORK/bad.yaml"
        jq -e '.exit == 2 and (.problems | length > 1) and .problems[0].line and .problems[0].file' "$WORK/out"
        one_document gbx policy apply "$WORK/bad.yaml" --as admin
        jq -e '.problems | length > 1' "$WORK/out"
        printf 'dataset: credit\ncolumns: 1\n' >"$WORK/bad.schema.yaml"
        one_document gbx data add credit "$PEOPLE/credit.csv.age" --owner fund --schema "$WORK/bad.schema.yaml" --as fund
        jq -e '.problems | length >= 1' "$WORK/out"
}

@test "a file that was named and is not there is a fault of usage, whatever the verb" {
        none=$WORK/none
        while read -r line; do
                # shellcheck disable=SC2086
                status_is 2 gbx $line
                says "$none"
        done <<END
user add eve --role analyst --ssh-key $none
policy check $none
policy apply $none --as admin
policy explain --algo x --data credit --purpose credit-scoring --params $none --as bank-a
data add credit $none --owner fund --schema $demo/credit.schema.yaml --as fund
data add credit $PEOPLE/credit.csv.age --owner fund --schema $none --as fund
data add credit $PEOPLE/credit.csv.age --owner fund --schema $demo/credit.schema.yaml --key $none --as fund
data prepare credit $none --owner fund --schema $demo/credit.schema.yaml --as fund
data transfer --statement $none --from $none --to $none --as fund
algo submit $none --as bank-a
algo try $none --purpose credit-scoring --as bank-a
review approve $SCRIPT --purpose credit-scoring --key $none
review approve $SCRIPT --statement $none --signature $none --as wang
review statement $SCRIPT --purpose credit-scoring --key $none
job run --algo x --data credit --purpose credit-scoring --params $none --as bank-a
release verify $none $none
trace $none --as audit
audit verify --against $none --as audit
audit verify --witness-policy $none --as audit
audit verify --log $none --vkey x
audit ls --log $none
audit export --log $none
audit prove 0 --log $none
audit check-proof $none
restore $WORK --identity $none
END
}

@test "a key that is another's ends 5, a role that is not there 3, a thing that is not there 1" {
        status_is 5 gbx data add credit "$PEOPLE/credit.csv.age" --owner fund --schema "$demo/credit.schema.yaml" --key "$PEOPLE/li" --as fund
        status_is 5 gbx review approve "$SCRIPT" --purpose credit-scoring --key "$PEOPLE/wang" --as li
        gbx audit prove 0 --out "$WORK/proof"
        status_is 5 gbx audit check-proof "$WORK/proof" --vkey "$(gbx keys log --site "$WORK/second" 2>/dev/null || { gbx init --site "$WORK/second" >/dev/null 2>&1; gbx keys log --site "$WORK/second"; })"
        for command in 'user remove bank-a' 'policy withdraw credit-scoring' 'data revoke credit' "review reject $SCRIPT --reason x" 'audit ls' \
                'audit prove 0' 'flows ls' 'keys rotate site' "backup $WORK/backup"; do
                # shellcheck disable=SC2086
                status_is 3 gbx $command --as bank-a
        done
        for command in 'job show run-000099' 'data show nothing' 'algo show nothing' 'policy show nothing' 'user remove nobody' \
                'flows cut --run run-000099' 'data usage nothing'; do
                # shellcheck disable=SC2086
                status_is 1 gbx $command
        done
}

@test "options of every command may stand anywhere" {
        gbx --site "$GBX_SITE" --as audit --json job ls | jq -e 'type == "array"'
        gbx job --json ls --as audit | jq -e 'type == "array"'
        gbx job ls --as=audit --json | jq -e 'type == "array"'
        [ "$(gbx user ls --json)" = "$(gbx user list --json)" ]
        status_is 2 gbx --colour job ls
        status_is 2 gbx job ls --json=yes
        status_is 2 gbx job ls --as audit --as audit
        status_is 2 gbx keys -- --json
}

@test "help in each of its forms" {
        status_is 0 gbx -h
        says "Usage: gbx"
        status_is 0 gbx help
        says "job run"
        status_is 0 gbx help job
        says "job fetch"
        status_is 0 gbx job --help
        says "job fetch"
        status_is 0 gbx help job run
        says "Usage: gbx job run"
        status_is 0 gbx job run -h
        says "Usage: gbx job run"
        status_is 0 gbx help completion
        status_is 2 gbx help nothing
        status_is 2 gbx job
        says "job fetch"
        status_is 2 gbx job rnu
        says "perhaps: gbx job run"
        status_is 2 gbx user lst
        says "perhaps: gbx user ls"
        status_is 2 gbx statsu
        says "perhaps: gbx status"
        status_is 0 gbx --version
}

@test "messages say what to do" {
        status_is 2 gbx job run --algo x --data a,b --purpose credit-scoring --as bank-a
        says "repeat --data"
        status_is 2 gbx user add eve --role analyst,reviewer --ssh-key "$PEOPLE/li.pub" --as admin
        says "repeat --role"
        status_is 2 gbx user add eve --role analyst --ssh-key "$PEOPLE/li" --as admin
        says "private key"
        [[ $output != *PRIVATE\ KEY* ]]
        SSH_AUTH_SOCK='' status_is 2 env -u SSH_AUTH_SOCK gbx review approve "$SCRIPT" --purpose credit-scoring --key "$PEOPLE/wang.pub"
        says "public key"
        GBX_AS='' status_is 2 gbx user ls
        says "GBX_AS is empty"
        status_is 2 gbx user ls --as ''
        status_is 2 gbx data destroy credit --as fund
        says "--confirm credit"
}

@test "an intake is signed elsewhere, used once, and its maker's alone" {
        gbx data prepare credit "$PEOPLE/credit.csv.age" --owner fund --schema "$demo/credit.schema.yaml" --as fund --json >"$WORK/prepared"
        intake=$(jq -r .intake "$WORK/prepared")
        jq -rj .manifest "$WORK/prepared" >"$WORK/manifest"
        rm -f "$WORK/manifest.sig"
        ssh-keygen -q -Y sign -n glovebox -f "$PEOPLE/fund" "$WORK/manifest" 2>/dev/null
        gbx user add other --role owner --ssh-key "$PEOPLE/bank-b.pub.other" --as admin 2>/dev/null || {
                ssh-keygen -q -t ed25519 -N '' -f "$PEOPLE/other"
                gbx user add other --role owner --ssh-key "$PEOPLE/other.pub" --as admin
        }
        status_is 3 gbx data add --intake "$intake" --signature "$WORK/manifest.sig" --as other
        status_is 3 gbx data discard "$intake" --as other
        status_is 0 gbx data add --intake "$intake" --signature "$WORK/manifest.sig" --as fund
        says "version        2"
        status_is 1 gbx data add --intake "$intake" --signature "$WORK/manifest.sig" --as fund
        status_is 2 gbx data add --as fund
        status_is 1 gbx data add --intake ../../etc --as fund 2>&1 || [ "$status" -eq 2 ]
        [ -z "$(find "$GBX_SITE" -name 'incoming-*')" ]
        status_is 0 gbx audit replay --as audit
}

@test "an intake that was edited is refused and gone; one that nobody came back for is swept" {
        prepare() { gbx data prepare credit "$PEOPLE/credit.csv.age" --owner fund --schema "$demo/credit.schema.yaml" --as fund --json | jq -r .intake; }
        intake=$(prepare)
        sed -i 's/"owner":"fund"/"owner":"wang"/' "$GBX_SITE/data/$intake.json"
        status_is 5 gbx data add --intake "$intake" --as fund
        says "not what this site wrote"
        intake=$(prepare)
        printf '\377' | dd of="$GBX_SITE/data/$intake" bs=1 seek=1000 conv=notrunc status=none
        status_is 5 gbx data add --intake "$intake" --as fund
        [ -z "$(find "$GBX_SITE/data" -name "$intake*")" ]
        intake=$(prepare)
        find "$GBX_SITE/data" "$GBX_SITE/keys" -name 'incoming-*' -exec touch -d '2 days ago' {} +
        next=$(prepare)
        [ -z "$(find "$GBX_SITE" -name "$intake*")" ]
        gbx data discard "$next" --as fund
        [ -z "$(find "$GBX_SITE" -name 'incoming-*')" ]
}

@test "OpenAPI describes every verb of the help, and is well-formed" {
        gbx api --openapi >"$WORK/openapi.json"
        jq -e '.openapi == "3.1.0" and .info.title and (.paths | length > 40)' "$WORK/openapi.json"
        while read -r command; do
                jq -e --arg path "/v1/${command/ //}" '.paths[$path].post | .operationId and .summary and .requestBody.content and .responses."200".content' \
                        "$WORK/openapi.json" >/dev/null || { echo "not described: $command"; return 1; }
        done <"$WORK/commands"
        [ "$(jq '.paths | length' "$WORK/openapi.json")" = "$(wc -l <"$WORK/commands")" ]
        # each reference leads somewhere, each required field is a property, each schema is closed
        jq -e '. as $all | [.. | objects | .["$ref"] // empty | ltrimstr("#/") | split("/")] | length > 0 and all(. as $p | $all | getpath($p) != null)' \
                "$WORK/openapi.json"
        jq -e '[.paths[].post.requestBody.content["application/json"] // empty | .schema | (.required - (.properties | keys)) == [] and .additionalProperties == false] | all' \
                "$WORK/openapi.json"
        # no field is a path on the gateway's machine, and no private key is sent
        jq -e '[.paths[].post.requestBody.content[].schema.properties | keys[]] | (index("log") == null) and (index("output") == null) and (index("plot") == null)' \
                "$WORK/openapi.json"
        jq -e '.paths["/v1/data/add"].post.requestBody.content[].schema.properties | (has("intake") and has("signature")) and (has("key") | not)' "$WORK/openapi.json"
}

# What bash would offer for a line; the last word is what was begun.
completes() { # WORD…
        bash -c 'source <(gbx completion bash); COMP_WORDS=(gbx "$@"); COMP_CWORD=$#; _gbx; printf "%s\n" "${COMPREPLY[@]}"' - "$@"
}

@test "completion knows nouns, verbs, options and values" {
        [ "$(completes jo)" = job ]
        completes data '' | grep -qx transfer-statement
        [ "$(completes --site x job fe)" = fetch ]
        completes job run -- | grep -qx -- --purpose
        completes job run --p | grep -qx -- --params
        [ "$(completes audit export --format c)" = csv ]
        completes keys '' | grep -qx rotate
        completes st | grep -qx status
        bash -n <(gbx completion bash)
        gbx completion zsh | head -1 | grep -qx '#compdef gbx'
        status_is 2 gbx completion fish
}

@test "manual pages are well-formed and hold every verb" {
        for noun in $(gbx api --nouns); do gbx api --man "$noun"; done >"$WORK/pages"
        while read -r command; do
                grep -qF ".SS \"gbx ${command//-/\\-}" "$WORK/pages" || { echo "not in the manual: $command"; return 1; }
        done <"$WORK/commands"
        status_is 2 gbx api --man nothing
        command -v groff >/dev/null || skip "no groff"
        for noun in '' $(gbx api --nouns); do
                # shellcheck disable=SC2086
                gbx api --man $noun | groff -K utf8 -man -ww -Tutf8 >/dev/null 2>"$WORK/err"
                [ ! -s "$WORK/err" ] || { cat "$WORK/err"; return 1; }
        done
}
