# What flows of several runs share: circuit breakers of analysts and datasets, quotas of the day. Each `gbx job run` is a
# process of its own that starts from the log: whatever holds in the second run has survived a restart.

bats_require_minimum_version 1.5.0
load site.bash

setup_file() {
        cd "$BATS_TEST_DIRNAME/../.."
        source tests/fixtures/egress/lab.bash
        export BUILD=${BUILD:-build}
        lab_up
        FOLDER=$(mktemp -d)
        export FOLDER
        make_site "$FOLDER" >/dev/null
        for name in other third; do # datasets of their own, so that a test's counts are its own
                sed "s/^dataset:.*/dataset: $name/" "$demo/credit.schema.yaml" >"$FOLDER/$name.schema.yaml"
                gbx data add $name --owner fund --schema "$FOLDER/$name.schema.yaml" --key "$PEOPLE/fund" "$PEOPLE/credit.csv.age" --as fund
        done >/dev/null
        echo '{"nameservers":["127.0.0.53"]}' >"$GBX_SITE/egress.json"
}
teardown_file() {
        source "$BATS_TEST_DIRNAME/../fixtures/egress/lab.bash"
        lab_down
        rm -rf "$FOLDER"
}
setup() {
        source "$BATS_TEST_DIRNAME/../fixtures/egress/lab.bash"
        load site.bash
}

# Puts a policy for the purpose in force; its rules and what goes with them are standard input.
policy() { # PURPOSE DATASET
        sed -E "s/^(policy|purpose):.*/\1: $1/; s/^datasets:.*/datasets: [$2]/; s/^engines:.*/engines: [native]/; /^network:/d" \
                "$demo/credit-scoring.yaml" >"$FOLDER/$1.yaml"
        { echo "network: flows"; tee "$FOLDER/$1.flows"; } >>"$FOLDER/$1.yaml"
        gbx policy apply "$FOLDER/$1.yaml" --as admin
}
# Prints the digest of a job that hammers (tests/fixtures/egress/hammer.c).
program() { # FORBIDDEN ALLOWED PAUSE-MS
        local file=$FOLDER/hammer-$1-$2-$3
        if [ ! -e "$file" ]; then
                gcc -static -O1 -w -DFORBIDDEN="$1" -DALLOWED="$2" -DPAUSE_MS="$3" -o "$file" "$BATS_TEST_DIRNAME/../fixtures/egress/hammer.c"
                submit "$file" >/dev/null
        fi
        echo "sha256:$(sha256sum <"$file" | cut -d' ' -f1)"
}
entries() { gbx audit ls --json --as audit | jq -c '.[]'; }
# Runs it for an analyst on a dataset, and leaves the program's exit status in $exit.
run_as() { # ANALYST DATASET PURPOSE DIGEST
        outside env PATH="$PATH" gbx job run --algo "$4" --purpose "$3" --data "$2" --param by=home --as "$1" >"$FOLDER/out" 2>&1 || true
        exit=$(entries | jq -s 'map(select(.action == "run.end"))[-1].details.exit')
        echo "# $1 on $2 for $3: $exit"
}
@test "too many refusals close an analyst's flows, for later runs too, until an administrator opens them" {
        policy breaking other <<'YAML'
flows:
  - { name: plain, scheme: http, host: plain.test, paths: ["/v1/"], breaker-failures: 1000, connections: 1000 }
flow-breakers: { analyst-failures: 4, dataset-failures: 1000 }
YAML
        bad=$(program 4 100 50) good=$(program 0 2 0)
        approve "$bad" breaking
        approve "$good" breaking
        run_as bank-a other breaking "$good" # control: four are needed
        [ "$exit" = 0 ]
        run_as bank-a other breaking "$bad"
        [ "$exit" = 103 ] # 503, in the very run that caused it
        [ "$(entries | jq -sc 'map(select(.action == "breaker.open")) | [length, .[0].object, .[0].details.kind, .[0].details.failures, .[0].actor]')" = \
                '[1,"bank-a","analyst",4,"system"]' ]
        run_as bank-a other breaking "$good"
        [ "$exit" = 103 ]
        [ "$(entries | jq -sc 'map(select(.action == "flow.refused"))[-1].reasons')" = '["breaker"]' ]
        run_as bank-b other breaking "$good" # another analyst's are not concerned
        [ "$exit" = 0 ]
        run -0 gbx flows breakers --as admin
        says bank-a
        gbx audit rebuild --as audit # it comes from the log, and from nothing else
        [ "$(gbx flows breakers --json --as audit | jq -c 'map([.kind, .name])')" = '[["analyst","bank-a"]]' ]
        run_as bank-a other breaking "$good"
        [ "$exit" = 103 ]
        run ! gbx flows close-breaker --analyst bank-a --as bank-a
        run ! gbx flows close-breaker --analyst bank-a --as audit
        run ! gbx flows close-breaker --analyst bank-b --as admin
        gbx flows close-breaker --analyst bank-a --as admin
        [ "$(gbx flows breakers --json --as admin)" = '[]' ]
        [ "$(entries | jq -sc 'map(select(.action == "breaker.close"))[-1] | [.actor, .object, .details.kind]')" = '["admin","bank-a","analyst"]' ]
        run_as bank-a other breaking "$good"
        [ "$exit" = 0 ]
        gbx audit verify --as audit
}

@test "refusals of any analyst close a dataset's flows, and those that are under way elsewhere" {
        policy shared third <<'YAML'
flows:
  - { name: plain, scheme: http, host: plain.test, paths: ["/v1/"], breaker-failures: 1000, connections: 1000 }
flow-breakers: { analyst-failures: 1000, dataset-failures: 6 }
YAML
        bad=$(program 3 0 0) good=$(program 0 2 0) long=$(program 0 300 100)
        for digest in "$bad" "$good" "$long"; do approve "$digest" shared; done
        policy elsewhere credit <"$FOLDER/shared.flows"
        approve "$good" elsewhere
        run_as bank-a third shared "$bad"
        [ "$exit" = 0 ]
        run_as bank-b third shared "$good" # control: half of them
        [ "$exit" = 0 ]
        outside env PATH="$PATH" gbx job run --algo "$long" --purpose shared --data third --param by=home --as bank-b >"$FOLDER/long" 2>&1 3>&- &
        job=$!
        for _ in $(seq 200); do
                live=$(gbx flows ls --json --as admin | jq 'map(.rules[].total) | add // 0')
                [ "${live:-0}" -lt 2 ] || break
                sleep 0.05
        done
        other=$(gbx flows ls --json --as admin | jq -r '.[0].run')
        outside env PATH="$PATH" gbx job run --algo "$bad" --purpose shared --data third --param by=home --as bank-a >"$FOLDER/out" 2>&1 || true
        wait $job || true
        entries | jq -c --arg run "$other" 'select(.object == $run and .action != "run.start") | [.action, .outcome, .reasons, .details.exit]' | tail -5
        cat "$FOLDER/long"
        [ "$(entries | jq -sc --arg run "$other" 'map(select(.action == "run.end" and .object == $run))[0].details.exit')" = 103 ]
        [ "$(gbx flows breakers --json --as admin | jq -c 'map([.kind, .name, .failures])')" = '[["dataset","third",6]]' ]
        for analyst in bank-a bank-b; do
                run_as $analyst third shared "$good"
                [ "$exit" = 103 ]
        done
        run_as bank-a credit elsewhere "$good" # another dataset is not concerned
        [ "$exit" = 0 ]
        gbx flows close-breaker --dataset third --as admin
        run_as bank-b third shared "$good"
        [ "$exit" = 0 ]
}

@test "a breaker counts within its window only" {
        policy brief credit <<'YAML'
flows:
  - { name: plain, scheme: http, host: plain.test, paths: ["/v1/"], breaker-failures: 1000, connections: 1000 }
flow-breakers: { analyst-failures: 5, dataset-failures: 1000, window: 2s }
YAML
        bad=$(program 3 3 300)
        approve "$bad" brief
        run_as bank-b credit brief "$bad"
        [ "$exit" = 0 ]
        sleep 3.1
        run_as bank-b credit brief "$bad" # six in all, three in two seconds
        [ "$exit" = 0 ]
        [ "$(gbx flows breakers --json --as admin)" = '[]' ]
}

@test "connections and bytes of a day are counted over runs, by rule, analyst and dataset" {
        policy daily credit <<'YAML'
flows:
  - { name: plain, scheme: http, host: plain.test, paths: ["/v1/"], connections-day: 5 }
YAML
        good=$(program 0 4 0)
        approve "$good" daily
        run_as bank-a credit daily "$good"
        [ "$exit" = 0 ]
        run_as bank-a credit daily "$good" # the sixth connection
        [ "$exit" = 29 ]
        [ "$(entries | jq -sc 'map(select(.action == "flow.refused"))[-1].reasons')" = '["quota"]' ]
        [ "$(entries | jq -s 'map(select(.action == "flow.opened"))[-1].object as $run | map(select(.action == "flow.opened" and .object == $run)) | length')" = 1 ]
        run_as bank-b credit daily "$good" # a rule's quota is an analyst's own
        [ "$exit" = 0 ]
        [ "$(gbx flows usage --json --as audit | jq -c 'map(select(.purpose == "daily") | [.analyst, .dataset, .rule, .connections, .sent > 0])')" = \
                '[["bank-a","credit","plain",5,true],["bank-b","credit","plain",4,true]]' ]
        run -0 gbx flows usage --as admin
        says CONNECTIONS
        [ "$(gbx flows usage --day 2020-01-01 --json --as audit)" = '[]' ]
        run ! gbx flows usage --as bank-a
        [ "$(sqlite3 "$GBX_SITE/view.db" "SELECT connections, sent > 0, received > 0 FROM flow_usage WHERE requester='bank-a' AND purpose='daily' AND dataset='credit'")" = "5|1|1" ]
}

@test "a dataset's quota holds for all analysts and purposes together, an analyst's for all datasets" {
        used=$(sqlite3 "$GBX_SITE/view.db" "SELECT COALESCE(SUM(connections),0) FROM flow_usage WHERE dataset='third'")
        policy counted third <<YAML
flows:
  - { name: plain, scheme: http, host: plain.test, paths: ["/v1/"] }
flow-quotas:
  dataset: { connections-day: $((used + 5)) }
YAML
        good=$(program 0 4 0)
        approve "$good" counted
        run_as bank-a third counted "$good"
        [ "$exit" = 0 ]
        run_as bank-b third counted "$good"
        [ "$exit" = 29 ]
        used=$(sqlite3 "$GBX_SITE/view.db" "SELECT SUM(received) FROM flow_usage WHERE dataset='' AND requester='bank-b'")
        policy talkative other <<YAML
flows:
  - { name: plain, scheme: http, host: plain.test, paths: ["/v1/"] }
flow-quotas:
  analyst: { response-size-day: $((used + 500)) }
YAML
        approve "$good" talkative
        run_as bank-b other talkative "$good"
        [ "$exit" = 29 ] || [ "$exit" = 102 ] # in the middle of an answer: 502
        [ "$(sqlite3 "$GBX_SITE/view.db" "SELECT SUM(received) <= $used + 500 FROM flow_usage WHERE dataset='' AND requester='bank-b'")" = 1 ]
}

@test "what was counted before a kill -9 of the gateway counts after it; no flow outlives it" {
        policy killed third <<'YAML'
flows:
  - { name: plain, scheme: http, host: plain.test, paths: ["/v1/"], connections-day: 5 }
YAML
        slow=$(program 0 300 300) good=$(program 0 4 0)
        approve "$slow" killed
        approve "$good" killed
        outside env PATH="$PATH" "$build/gbx" job run --algo "$slow" --purpose killed --data third --param by=home --as bank-a >"$FOLDER/slow" 2>&1 3>&- &
        job=$!
        for _ in $(seq 200); do
                opened=$(sqlite3 "$GBX_SITE/view.db" "SELECT COALESCE(SUM(connections),0) FROM flow_usage WHERE purpose='killed' AND dataset=''")
                [ "${opened:-0}" -lt 2 ] || break
                sleep 0.05
        done
        kill -9 $job
        wait $job || true
        for _ in $(seq 40); do # the kernel ends the proxy with its starter
                live=$(gbx flows ls --json --as admin)
                [ "$live" != '[]' ] || break
                sleep 0.05
        done
        [ "$live" = '[]' ]
        opened=$(sqlite3 "$GBX_SITE/view.db" "SELECT SUM(connections) FROM flow_usage WHERE purpose='killed' AND dataset=''")
        echo "# $opened before"
        [ "$opened" -ge 2 ] && [ "$opened" -le 5 ]
        gbx audit rebuild --as audit
        run_as bank-a third killed "$good"
        [ "$exit" = 29 ]
        [ "$(sqlite3 "$GBX_SITE/view.db" "SELECT SUM(connections) FROM flow_usage WHERE purpose='killed' AND dataset=''")" = 5 ]
}
