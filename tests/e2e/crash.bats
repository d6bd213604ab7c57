# Crashes (E21): SIGKILL at every flush of a command. Afterwards nothing acknowledged is lost, the log verifies, the
# view heals, and every decision replays.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/new"
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/full"
        export LUA=$(submit "$demo/default-rate.lua")
        approve "$LUA" >&2
}

teardown_file() {
        umount -l "$WORK/small" 2>/dev/null || true
        rm -rf "$WORK"
}

# Runs a command with a kill at its Nth flush or rename, for N from 1 until it gets through. $1: what must hold after each.
kill_everywhere() { # CHECK COMMAND…
        local check=$1 n status
        shift
        for n in $(seq 1 400); do
                strace -qq -o /dev/null -e trace=fsync,fdatasync,rename,renameat,renameat2 \
                        -e inject=fsync,fdatasync,rename,renameat,renameat2:signal=KILL:when="$n" "$@" >/dev/null 2>&1 && status=0 || status=$?
                gbx audit verify --log "$GBX_SITE/log" --vkey "$(gbx keys log)" >/dev/null || { echo "kill $n: the log does not verify"; return 1; }
                $check || { echo "kill $n: $check failed"; return 1; }
                [ "$status" -eq 137 ] || break
        done
        killed=$((n - 1))
        echo "killed at $killed places, then status $status"
        [ "$killed" -ge 5 ] && [ "$status" -ne 137 ]
}

replays() {
        gbx audit replay --as audit >"$WORK/replay" 2>&1 || { cat "$WORK/replay"; return 1; }
}

@test "killed while adding a user: the user is there or is not, and the log knows" {
        check() { replays; }
        kill_everywhere check gbx user add victim --role analyst --ssh-key "$WORK/new.pub" --as admin
        gbx user ls --json | jq -e 'any(.name == "victim")'
}

@test "killed while registering data: no version is half there" {
        check() {
                replays && gbx data ls --json | jq -r '.[].stored' | while read -r stored; do
                        [ -f "$GBX_SITE/data/${stored#sha256:}" ] || return 1
                done
        }
        kill_everywhere check gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" "$PEOPLE/credit.csv.age" --as fund
}

@test "killed while a job runs: what was released has its entry, its files and a covering checkpoint" {
        approve "$LUA" # the data has a new version by now
        check() {
                replays && gbx release ls --json | jq -r '.[].id' | while read -r id; do
                        ls "$GBX_SITE/releases/$id"/*.csv.age >/dev/null || return 1
                done
        }
        kill_everywhere check gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a
        gbx release ls --json | jq -e 'length >= 1'
}

@test "killed while handing over: fetching again works" {
        run_id=$(gbx job ls --json | jq -r 'map(select(.state == "released")) | last | .id')
        kill_everywhere replays gbx job fetch "$run_id" --output "$WORK/fetched" --as bank-a
        age -d -i "$PEOPLE/bank-a.age" "$WORK"/fetched/*.csv.age | head -1
}

@test "a full disk stops the command, loses nothing, and the site works again afterwards" {
        small=$WORK/small
        mkdir "$small"
        mount -t tmpfs -o size=$(($(du -sm "$GBX_SITE" | cut -f1) + 4))m tmpfs "$small" || skip "cannot mount a tmpfs here"
        cp -a "$GBX_SITE" "$small/site"
        before=$(gbx status --site "$small/site" --json | jq .entries)
        head -c 100M /dev/zero >"$small/filler" 2>/dev/null || true
        run gbx user add full --role analyst --ssh-key "$WORK/full.pub" --as admin --site "$small/site"
        failed=$status
        rm "$small/filler"
        after=$(gbx status --site "$small/site" --json | jq .entries)
        run gbx audit replay --as audit --site "$small/site"
        replay=$status
        run gbx user add full --role analyst --ssh-key "$WORK/full.pub" --as admin --site "$small/site"
        again=$status
        echo "failed $failed, entries $before -> $after, replay $replay, again $again"
        [ "$failed" -ne 0 ] && [ "$after" -ge "$before" ] && [ "$replay" -eq 0 ] && [ "$again" -eq 0 ]
}
