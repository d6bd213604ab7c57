# E20: an insider who can write every file of the site, but has neither its keys nor the witnesses', edits, deletes,
# inserts, reorders, truncates, rolls back, forks and forges. Bundles and tiles are rewritten so that they agree.
load ../e2e/site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        export VKEY=$(gbx keys log)
        cp "$GBX_SITE/log/checkpoint" "$WORK/kept" # what the auditor took home
        for _ in 1 2 3 4; do gbx audit verify --as audit >/dev/null; done
        export SIZE=$(sed -n 2p "$GBX_SITE/log/checkpoint") KEPT=$(sed -n 2p "$WORK/kept")
}

teardown_file() {
        rm -rf "$WORK"
}

setup() {
        rm -rf "$WORK/copy"
        cp -r "$GBX_SITE" "$WORK/copy"
}

forge() { python3 tests/attack/lib/forge-log.py "$WORK/copy/log" "$@" >/dev/null; }

# The log as the public sees it, and as the site's own programs open it.
refused() {
        status_is 5 gbx audit ls --site "$WORK/copy"
        status_is 5 gbx audit verify --log "$WORK/copy/log" --vkey "$VKEY" "$@"
}

@test "control: the log as it is verifies, and a rewritten log without a change does too" {
        gbx audit verify --log "$WORK/copy/log" --vkey "$VKEY" --against "$WORK/kept"
        forge truncate "$SIZE"
        gbx audit verify --log "$WORK/copy/log" --vkey "$VKEY" --against "$WORK/kept"
}

@test "edit, delete, insert, swap, truncate, each with all hashes made anew" {
        for change in "edit 3" "delete 3" "insert 3" "swap 2 5" "truncate $((SIZE - 1))" "truncate 1"; do
                setup
                forge $change
                refused || { echo "$change"; return 1; }
        done
}

@test "the same, with the checkpoint's text rewritten under the old signature" {
        for change in "edit 3" "delete 3" "insert 3" "truncate $((SIZE - 1))"; do
                setup
                FORGE_CHECKPOINT=1 forge $change
                refused || { echo "$change"; return 1; }
                says "signature by '$(head -1 "$WORK/kept")'"
        done
}

@test "the same, signed with a key of the insider's own under the same name" {
        name=$(head -1 "$WORK/copy/log/checkpoint")
        gbx-witness keygen "$name" "$WORK/own.key" >/dev/null
        python3 - "$WORK" <<'PY' >"$WORK/entries"
import sys
data = open(max(__import__("glob").glob(sys.argv[1] + "/copy/log/tile/entries/000.p/*"), key=lambda p: int(p.rsplit("/", 1)[1])), "rb").read()
while data:
    n = int.from_bytes(data[:2], "big")
    sys.stdout.buffer.write(data[2:2 + n].replace(b'"outcome":"done"', b'"outcome":"none"') + b"\n")
    data = data[2 + n:]
PY
        rm -rf "$WORK/copy/log"
        "$build/tests/log-build" "$WORK/copy/log" "$WORK/own.key" "$name" <"$WORK/entries"
        refused
        says "not signed by"
}

@test "an older, well signed copy is put back: a kept checkpoint tells" {
        cp "$GBX_SITE/log/checkpoint" "$WORK/newest"
        rm -rf "$WORK/copy"
        cp -r "$GBX_SITE" "$WORK/copy"
        gbx audit verify --as audit >/dev/null # the site goes on
        cp "$GBX_SITE/log/checkpoint" "$WORK/later"
        gbx audit verify --log "$WORK/copy/log" --vkey "$VKEY" # by itself the copy is flawless...
        status_is 5 gbx audit verify --log "$WORK/copy/log" --vkey "$VKEY" --against "$WORK/later"
        says "an older copy of the log was put back"
}

@test "only the published checkpoint, or only the state, is put back" {
        cp "$WORK/kept" "$WORK/copy/log/checkpoint"
        status_is 5 gbx audit verify --log "$WORK/copy/log" --vkey "$VKEY"
        says "an older one was put back"
        setup
        cp "$WORK/kept" "$WORK/copy/log/.state/state"
        refused
}

@test "entries that wait in the journal are edited, cut or made up" {
        # A crash in front of the checkpoint leaves them there.
        strace -qq -o /dev/null -e trace=rename,renameat -e inject=rename,renameat:signal=KILL:when=1 \
                gbx audit verify --site "$WORK/copy" --as audit >/dev/null 2>&1 || true
        cp -r "$WORK/copy" "$WORK/pending"
        [ "$(gbx audit ls --site "$WORK/pending" --json | jq length)" -gt "$SIZE" ] # control: it was acknowledged
        rm -rf "$WORK/pending"
        journal=$WORK/copy/log/.state/journal
        for place in 20 200 $(($(stat -c %s "$journal") / 2)); do
                cp "$journal" "$WORK/journal"
                printf '#' | dd of="$journal" bs=1 seek="$place" conv=notrunc status=none
                status_is 5 gbx audit ls --site "$WORK/copy" || { echo "byte $place"; return 1; }
                cp "$WORK/journal" "$journal"
        done
        rm "$journal"
        status_is 5 gbx audit ls --site "$WORK/copy"
        says "journal is missing"
}

@test "the last entry of the journal is edited or cut off: the journal knows that it was acknowledged" {
        strace -qq -o /dev/null -e trace=rename,renameat -e inject=rename,renameat:signal=KILL:when=1 \
                gbx audit verify --site "$WORK/copy" --as audit >/dev/null 2>&1 || true
        journal=$WORK/copy/log/.state/journal
        cp "$journal" "$WORK/journal"
        LC_ALL=C sed -i '$ s/\(.*\)"outcome":"done"/\1"outcome":"none"/' "$journal"
        [ "$(sha256sum <"$journal")" != "$(sha256sum <"$WORK/journal")" ] # control: there was something to edit
        status_is 5 gbx audit ls --site "$WORK/copy" --json
        says "were acknowledged"
        truncate -s -30 "$journal"
        status_is 5 gbx audit ls --site "$WORK/copy" --json
        says "were acknowledged"
}

@test "the database is edited: the log says otherwise" {
        sqlite3 "$WORK/copy/view.db" "UPDATE user SET roles='[\"admin\"]' WHERE name='bank-a'"
        status_is 5 gbx audit replay --site "$WORK/copy" --as audit
}
