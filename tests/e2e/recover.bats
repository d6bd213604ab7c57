# Recovery (E21): whatever gbx was killed at, the next command puts the site in order. Every run has an end or waits for
# reviewers who can decide, the log replays, nothing is released twice or half, no file is left that nobody names. And what
# lives is not touched: a run ends when who may asks for it (gbx job cancel).
load site.bash

setup_file() {
        # In memory: what is killed are calls, and hundreds of copies of a site need not reach a disk.
        export NAME WORK=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
        NAME=/job/$(printf 'r%06d' $((RANDOM * RANDOM % 1000000)))
        make_site "$WORK" >&2
        gcc -static -O1 -DNAME="\"$NAME\"" -o "$WORK/slow" "$BATS_TEST_DIRNAME/slow.c"
        export LUA=$(submit "$demo/default-rate.lua") SLOW=$(submit "$WORK/slow" --engine native)
        approve "$LUA" >&2
        approve "$SLOW" >&2
        cp -a "$WORK/site" "$WORK/fresh"
        run job job,home # held: its cells are small
        [ "$status" -eq 4 ]
        cp -a "$WORK/site" "$WORK/holding"
        job home >&2 # released; bears on the first one when that is let go
        cp -a "$WORK/site" "$WORK/overtaken"
}

teardown_file() { rm -rf "$WORK"; }

teardown() { # what a failed test started
        [ -z "${PID:-}" ] || kill -9 "$PID" 2>/dev/null || true
}

site_from() { # fresh | holding | overtaken
        export GBX_SITE=$WORK/now
        rm -rf "$GBX_SITE"
        cp -a "$WORK/$1" "$GBX_SITE"
}

job() { # BY [DIGEST]
        gbx job run --algo "${2:-$LUA}" --data credit --purpose credit-scoring --param "by=$1" --as bank-a
}
state() { gbx job show "$1" --json --as audit | jq -r .state; }
ends_of() { gbx audit ls --object "$1" --as audit --json | jq "map(select(.action == \"run.end\" or .action == \"service.recover\")) | length"; }

# --- what holds after each recovery ------------------------------------------------------------

settled() {
        gbx job ls --json --as audit >"$WORK/runs" # the next command: it puts things in order
        jq -e 'all(.state as $s | ["denied", "failed", "limit", "cancelled", "refuse", "rejected", "released", "held"] | index($s))' \
                "$WORK/runs" >/dev/null || { echo "not at an end:"; jq -c '.[] | [.id, .state]' "$WORK/runs"; return 1; }
        gbx audit replay --as audit >"$WORK/replay" 2>&1 || { cat "$WORK/replay"; return 1; }
        released_whole && nothing_is_left
}

released_whole() { # a run that was released twice would stand there twice
        jq -e '(map(.id) | length) == (map(.id) | unique | length) and all((.state == "released") == (.release != null))' "$WORK/runs" >/dev/null ||
                { echo "released twice, or half"; return 1; }
        for release in $(jq -r '.[].release // empty' "$WORK/runs"); do
                [ -s "$GBX_SITE/releases/$release/provenance.intoto.json" ] && ls "$GBX_SITE/releases/$release"/*.csv.age >/dev/null ||
                        { echo "half released: $release"; return 1; }
        done
}

# What was prepared waits a day for who prepared it (gateway/data/intake.h); anything less than that is nobody's.
incoming() {
        local path id
        find "$GBX_SITE/keys" "$GBX_SITE/data" -name '*incoming-*' | while read -r path; do
                id=$(basename "$path" .json)
                [ -f "$GBX_SITE/data/$id" ] && [ -f "$GBX_SITE/data/$id.json" ] && [ -f "$GBX_SITE/keys/$id" ] || echo "$path"
        done
}

nothing_is_left() {
        {
                incoming
                find "$GBX_SITE" -name '*.tmp' -o -path '*/runs/*' -o -path '*/flows/*'
                find "$GBX_SITE/releases" -name 'release-*' -type d -printf '%f\n' | grep -vxFf <(jq -r '.[].release // empty' "$WORK/runs")
                find "$GBX_SITE/held" -type f -printf '%f\n' | grep -vxFf <(jq -r '.[] | select(.state == "held") | .id + ".age"' "$WORK/runs")
        } >"$WORK/left" || true
        [ ! -s "$WORK/left" ] || { echo "left:"; cat "$WORK/left"; return 1; }
}

# Each version that the log has, if it was not destroyed, has its file and its key, and there are no others.
data_is_whole() {
        gbx audit ls --json --as audit >"$WORK/entries"
        jq -r '(map(select(.action == "data.destroy").object)) as $gone |
                .[] | select(.action == "data.add" and (.object as $o | $gone | index($o) | not)) | .details.stored | ltrimstr("sha256:")' \
                "$WORK/entries" | sort >"$WORK/named"
        find "$GBX_SITE/data" -type f -not -name '*incoming-*' -printf '%f\n' | sort | diff "$WORK/named" - &&
                [ "$(find "$GBX_SITE/keys" -name 'dataset-*' | wc -l)" -eq "$(wc -l <"$WORK/named")" ]
}

# Kills a command at its Nth flush or change of a name (of data also at removals), for N from 1 until it gets through; each time in
# a site of its own. CHECK is called with N after the next command has been given.
calls=fsync,fdatasync,rename,renameat,renameat2
kill_everywhere() { # SITE CHECK COMMAND…
        local from=$1 check=$2 n status
        shift 2
        for n in $(seq 1 200); do
                site_from "$from"
                strace -qq -o /dev/null -e trace=$calls -e inject=$calls:signal=KILL:when="$n" "$@" >/dev/null 2>&1 3>&- && status=0 || status=$?
                settled && $check || { echo "kill $n of: $*"; return 1; }
                [ "$status" -eq 137 ] || break
        done
        killed=$((n - 1))
        echo "killed at $killed places, then status $status"
        [ "$killed" -ge 5 ] && [ "$status" -ne 137 ]
}

@test "killed anywhere in a run that is released" {
        check() { [ "$(ends_of run-000001)" -le 2 ]; }
        kill_everywhere fresh check gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a
        [ "$(state run-000001)" = released ]
}

@test "killed anywhere in a run whose outputs are held: what is held can be decided" {
        check() {
                [ "$(state run-000001)" != held ] || gbx review show run-000001 --as wang >/dev/null
        }
        kill_everywhere fresh check gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=job,home --as bank-a
        [ "$(state run-000001)" = held ]
        gbx review approve run-000001 --key "$PEOPLE/wang" --reason seen
}

@test "killed anywhere in an approval of held outputs: they are released, or can be" {
        check() {
                case $(state run-000001) in
                released) ;;
                held) # nobody has spoken yet, so whoever was killed can say it again
                        [ "$(gbx audit ls --action output.review --as audit --json | jq length)" = 0 ] || return 1
                        [ $((n % 5)) -ne 0 ] || gbx review approve run-000001 --key "$PEOPLE/wang" --reason seen >/dev/null
                        ;;
                *) return 1 ;;
                esac
        }
        kill_everywhere holding check gbx review approve run-000001 --key "$PEOPLE/wang" --reason seen
        [ "$(state run-000001)" = released ]
}

@test "killed anywhere in a rejection of held outputs" {
        check() { [[ $(state run-000001) =~ ^(held|rejected)$ ]]; }
        kill_everywhere holding check gbx review reject run-000001 --key "$PEOPLE/wang" --reason no
        [ "$(state run-000001)" = rejected ]
}

@test "killed anywhere while held outputs are held anew: the ones that the log names can be read and decided" {
        check() {
                gbx review show run-000001 --as wang >"$WORK/shown" || return 1
                [ $((n % 5)) -ne 0 ] || gbx review reject run-000001 --key "$PEOPLE/wang" --reason no >/dev/null ||
                        gbx review reject run-000001 --key "$PEOPLE/wang" --reason no >/dev/null # the first one finds something new
        }
        kill_everywhere overtaken check gbx review approve run-000001 --key "$PEOPLE/wang" --reason seen
        [ "$(state run-000001)" = held ]
        gbx review approve run-000001 --key "$PEOPLE/wang" --reason seen
}

@test "killed anywhere in data add, data destroy, policy apply" {
        kill_everywhere fresh data_is_whole gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" "$PEOPLE/credit.csv.age" --as fund
        calls=$calls,unlinkat kill_everywhere fresh data_is_whole gbx data destroy credit --confirm credit --as fund
        [ -z "$(ls "$GBX_SITE/data")" ]
        kill_everywhere fresh true gbx policy apply "$demo/fire-drill.yaml" --as admin
}

@test "a signal at any moment of a run, before its job began too: cancelled, with an entry, or released" {
        for n in $(seq 1 5 60); do
                site_from fresh
                strace -qq -o /dev/null -e trace=$calls -e inject=$calls:signal=TERM:when="$n" env --default-signal gbx job run --algo "$LUA" \
                        --data credit --purpose credit-scoring --param by=home --as bank-a >"$WORK/out" 2>&1 3>&- && status=0 || status=$?
                settled
                case $status in
                0 | 143 | 15) ;;
                1) grep -q "cancelled by a signal" "$WORK/out" && [ "$(state run-000001)" = cancelled ] ;;
                *) cat "$WORK/out"; return 1 ;;
                esac
                echo "$n: $status $(jq -r '.[0].state' "$WORK/runs")"
        done
}

@test "what was prepared and nobody came back for goes after a day" {
        site_from fresh
        gbx data prepare credit --owner fund --schema "$demo/credit.schema.yaml" "$PEOPLE/credit.csv.age" --as fund
        mkfifo "$GBX_SITE/runs/process-dead" # somebody died
        gbx job ls --as audit
        ls "$GBX_SITE"/data/incoming-*.json "$GBX_SITE"/keys/incoming-*
        touch -d '2 days ago' "$GBX_SITE"/data/incoming-* "$GBX_SITE"/keys/incoming-*
        mkfifo "$GBX_SITE/runs/process-dead"
        gbx job ls --as audit
        ! ls "$GBX_SITE"/data/incoming-* "$GBX_SITE"/keys/incoming-*
        settled
}

# --- the living ----------------------------------------------------------------------------------

start() { # COMMAND…
        env --default-signal setsid "$@" >"$WORK/out" 2>"$WORK/err" 3>&- 4>&- &
        PID=$!
}

start_slow() {
        start gbx job run --algo "$SLOW" --data credit --purpose credit-scoring --param by=home --as bank-a
        for _ in $(seq 1000); do
                [ "$(pgrep -fc "^$NAME")" = 2 ] && return
                sleep 0.02
        done
        echo "the job did not start"; cat "$WORK/out" "$WORK/err"
        return 1
}

ends_with() { # STATUS
        local status=0
        wait "$PID" || status=$?
        PID=
        [ "$status" = "$1" ] || { echo "status $status, expected $1"; cat "$WORK/out" "$WORK/err"; return 1; }
}

@test "a living run is not touched, whatever dies beside it" {
        site_from fresh
        start_slow
        for n in 12 20 28; do # others die at something
                strace -qq -o /dev/null -e trace=$calls -e inject=$calls:signal=KILL:when=$n gbx job run --algo "$LUA" --data credit \
                        --purpose credit-scoring --param by=home --as bank-b >/dev/null 2>&1 3>&- || true
                strace -qq -o /dev/null -e trace=$calls -e inject=$calls:signal=KILL:when=$n gbx data add other --owner fund \
                        --schema "$demo/credit.schema.yaml" "$PEOPLE/credit.csv.age" --as fund >/dev/null 2>&1 3>&- || true
                gbx service recover --as admin
        done
        [ "$(state run-000001)" = running ]
        gbx service recover --json --as admin | jq -e '.living == 1'
        [ "$(pgrep -fc "^$NAME")" = 2 ]
        kill -INT "$PID"
        ends_with 1
        gbx job ls --as audit
        settled
        [ "$(state run-000001)" = cancelled ]
}

@test "a run that was killed is failed by the next command, with one fixed word, and once however many look at once" {
        site_from fresh
        start_slow
        kill -KILL "$PID"
        ends_with 137
        for _ in 1 2 3 4 5 6; do
                gbx job ls --as audit >/dev/null 3>&- &
                others="${others:-} $!"
        done
        gbx service recover --as admin
        wait $others
        settled
        gbx audit ls --object run-000001 --action run.end --as audit --json |
                jq -e 'length == 1 and .[0].outcome == "failed" and .[0].reasons == ["interrupted"] and .[0].actor == "system"'
        status_is 3 gbx service recover --as bank-a
}

@test "recovery at a command's start waits for nobody" {
        site_from fresh
        start_slow
        kill -KILL "$PID"
        ends_with 137
        mkfifo "$WORK/go"
        flock "$GBX_SITE/lock" cat "$WORK/go" 3>&- & # in the middle of a change, until it is told
        PID=$!
        while flock -n "$GBX_SITE/lock" true; do sleep 0.02; done
        timeout 60 gbx job ls --json --as audit | jq -e '.[0].state == "running"'
        echo >"$WORK/go"
        ends_with 0
        rm "$WORK/go"
        gbx job ls --json --as audit | jq -e '.[0].state == "failed"'
}

# --- gbx job cancel ------------------------------------------------------------------------------

is_cancelled_by() { # NAME
        ends_with 1
        grep -q "cancelled by gbx job cancel; nothing was released" "$WORK/out" || { cat "$WORK/out"; return 1; }
        ! pgrep -f "^$NAME"
        gbx audit ls --object run-000001 --as audit --json | jq -e --arg who "$1" \
                'map([.action, .actor, .outcome])[-2:] == [["run.cancel", $who, "done"], ["run.end", "system", "cancelled"]]'
        settled
}

@test "gbx job cancel: by who asked for the run" {
        site_from fresh
        start_slow
        status_is 0 gbx job cancel run-000001 --as bank-a
        is_cancelled_by bank-a
        status_is 1 gbx job cancel run-000001 --as bank-a
        says "has ended: cancelled"
        [ "$(gbx audit ls --action run.cancel --as audit --json | jq length)" = 1 ]
}

@test "gbx job cancel: by an administrator, by nobody else" {
        site_from fresh
        start_slow
        status_is 3 gbx job cancel run-000001 --as bank-b
        says "did not ask for run-000001"
        status_is 3 gbx job cancel run-000001 --as wang
        status_is 3 gbx job cancel run-000001 --as fund
        status_is 1 gbx job cancel run-000007 --as bank-a
        says "there is no run"
        [ "$(state run-000001)" = running ]
        status_is 0 gbx job cancel run-000001 --as admin
        is_cancelled_by admin
}

@test "gbx job cancel: what has ended, or is held, says so" {
        site_from holding
        status_is 1 gbx job cancel run-000001 --as bank-a
        says "has ended: held"
        [ "$(state run-000001)" = held ]
        job home
        status_is 1 gbx job cancel run-000002 --as admin
        says "has ended: released"
        settled
}

@test "gbx job cancel: a run that nobody executes any more is put in order" {
        site_from fresh
        start_slow
        kill -KILL "$PID"
        ends_with 137
        status_is 0 flock "$GBX_SITE/runs" gbx job cancel run-000001 --as bank-a # so that it is not put in order before
        says "nobody executed it any more"
        settled
        [ "$(state run-000001)" = failed ]
}
