# Who only reads waits for nobody: not for data that comes slowly, not for a passphrase. Nor does another writer.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        ssh-keygen -q -t ed25519 -N 'correct horse' -f "$PEOPLE/locked"
        gbx user add fund --ssh-key "$PEOPLE/locked.pub" --as admin
}

teardown_file() {
        rm -rf "$WORK"
}

# Everything that must answer meanwhile. The limit is only so that a test that waits for ever fails.
answers() {
        timeout 60 gbx job ls --as audit
        timeout 60 gbx status --as audit
        timeout 60 gbx user ls
        timeout 60 gbx data ls --as bank-a
        timeout 60 gbx audit ls --as audit --limit 3
        run timeout 60 gbx flows cut --run run-000099
        [ "$status" -eq 1 ] # no such run is live
        timeout 60 gbx heartbeat # and who writes is not held up either
}

# Until a file is there, as long as the process that makes it lives.
wait_for() { # PATTERN PID
        until compgen -G "$1" >/dev/null; do
                kill -0 "$2" || { echo "it ended before there was $1"; return 1; }
                sleep 0.1
        done
}

@test "while a data add reads a file that comes slowly" {
        mkfifo "$WORK/slow"
        gbx data add credit "$WORK/slow" --owner fund --schema "$demo/credit.schema.yaml" --as fund >"$WORK/out" 2>&1 3>&- &
        adding=$!
        exec 4>"$WORK/slow"
        head -c 100000 "$PEOPLE/credit.csv.age" >&4
        wait_for "$GBX_SITE/data/incoming-*" "$adding"
        answers
        kill -0 "$adding"
        tail -c +100001 "$PEOPLE/credit.csv.age" >&4
        exec 4>&-
        wait "$adding"
        grep -q 'version *2' "$WORK/out"
}

@test "while ssh-keygen waits for a passphrase; the version is made when it comes" {
        mkfifo "$WORK/passphrase"
        printf '#!/bin/sh\ntouch %s\ncat %s\n' "$WORK/asked" "$WORK/passphrase" >"$WORK/askpass"
        chmod +x "$WORK/askpass"
        SSH_ASKPASS=$WORK/askpass SSH_ASKPASS_REQUIRE=force DISPLAY=:0 gbx data add credit "$PEOPLE/credit.csv.age" --owner fund \
                --schema "$demo/credit.schema.yaml" --key "$PEOPLE/locked" --as fund >"$WORK/out" 2>&1 3>&- &
        adding=$!
        wait_for "$WORK/asked" "$adding"
        answers
        kill -0 "$adding"
        echo 'correct horse' >"$WORK/passphrase"
        wait "$adding" || { cat "$WORK/out"; return 1; }
        gbx data show credit --as fund --json | jq -e 'last | .version == 3 and .signature != null'
        status_is 0 gbx audit replay --as audit
}

@test "a review that waits for a passphrase holds up nobody" {
        ssh-keygen -q -t ed25519 -N 'battery staple' -f "$PEOPLE/slow-li"
        gbx user add li --ssh-key "$PEOPLE/slow-li.pub" --as admin
        printf 'release.table{}\n' >"$WORK/script.lua"
        script=$(submit "$WORK/script.lua")
        rm -f "$WORK/asked"
        SSH_ASKPASS=$WORK/askpass SSH_ASKPASS_REQUIRE=force DISPLAY=:0 gbx review approve "$script" --purpose credit-scoring \
                --key "$PEOPLE/slow-li" --as li >"$WORK/out" 2>&1 3>&- &
        approving=$!
        wait_for "$WORK/asked" "$approving"
        answers
        kill -0 "$approving"
        echo 'battery staple' >"$WORK/passphrase"
        wait "$approving" || { cat "$WORK/out"; return 1; }
        grep -q Approved "$WORK/out"
}

@test "an intake whose signature fails leaves nothing" {
        printf '#!/bin/sh\nexit 1\n' >"$WORK/refuse"
        chmod +x "$WORK/refuse"
        SSH_ASKPASS=$WORK/refuse SSH_ASKPASS_REQUIRE=force DISPLAY=:0 status_is 2 gbx data add credit "$PEOPLE/credit.csv.age" --owner fund \
                --schema "$demo/credit.schema.yaml" --key "$PEOPLE/locked" --as fund
        [ -z "$(find "$GBX_SITE" -name 'incoming-*')" ]
}
