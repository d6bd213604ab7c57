# Anchors: checkpoints as evidence in an EVM chain, tested against a real node (anvil, from npm) on loopback.
load site.bash

ANVIL=@foundry-rs/anvil@1.7.1

setup_file() {
        export WORK=$(mktemp -d) ANVIL_DIR=$build/anvil
        if [ ! -x "$ANVIL_DIR/node_modules/.bin/anvil" ]; then
                command -v npm >/dev/null || { echo "npm is missing (Debian package npm): no chain node to test with" >"$WORK/skip"; return 0; }
                mkdir -p "$ANVIL_DIR"
                (cd "$ANVIL_DIR" && timeout 240 npm install --no-audit --no-fund --silent "$ANVIL") >/dev/null 2>&1 ||
                        { echo "npm cannot install $ANVIL: no chain node to test with" >"$WORK/skip"; return 0; }
        fi
        export GBX_SITE=$WORK/site
        gbx init --origin test.example/anchored >&2
        export VKEY=$(gbx keys log) PORT=$((20000 + RANDOM % 20000))
        export URL=http://127.0.0.1:$PORT
        start_node
}

teardown_file() {
        [ ! -f "$WORK/pid" ] || stop_node
        rm -rf "$WORK"
}

setup() {
        [ ! -f "$WORK/skip" ] || skip "$(cat "$WORK/skip")"
}

start_node() {
        setsid "$ANVIL_DIR/node_modules/.bin/anvil" --host 127.0.0.1 --port "$PORT" --silent --state "$WORK/chain.json" >"$WORK/node.out" 2>&1 3>&- &
        echo $! >"$WORK/pid"
        for _ in $(seq 200); do
                curl -s -o /dev/null -H 'content-type: application/json' --data '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}' "$URL" && return 0
                sleep 0.05
        done
        cat "$WORK/node.out"
        return 1
}

stop_node() {
        kill -- "-$(cat "$WORK/pid")" 2>/dev/null || true
        for _ in $(seq 100); do
                kill -0 -- "-$(cat "$WORK/pid")" 2>/dev/null || break
                sleep 0.05
        done
        rm "$WORK/pid"
}

@test "a checkpoint is anchored, the receipt is logged, and the chain gives it back" {
        status_is 0 gbx audit anchor --url "$URL"
        says "anchored 1 entries in block"
        [ "$(gbx audit ls --action anchor --json | jq 'length == 1 and .[0].details.chain == 31337 and .[0].details.size == 1')" = true ]
        status_is 0 gbx audit verify --log "$GBX_SITE/log" --vkey "$VKEY" --anchor "$URL"
        says "1 anchor receipt, found again in the chain"
        status_is 0 gbx audit anchor --url "$URL" # only the receipt itself is new
        [ "$(gbx audit ls --action anchor --json | jq length)" = 1 ]
}

@test "what is in the chain is origin, size and root of the log" {
        tx=$(gbx audit ls --action anchor --json | jq -r '.[0].details.transaction')
        input=$(curl -s -H 'content-type: application/json' \
                --data "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_getTransactionByHash\",\"params\":[\"$tx\"]}" "$URL" | jq -r .result.input)
        leaf=$(gbx audit export | head -1 | python3 -c 'import sys,json,hashlib; e=json.loads(sys.stdin.readline()); e.pop("index"); print(hashlib.sha256(b"\0"+json.dumps(e,sort_keys=True,separators=(",",":"),ensure_ascii=False).encode()).hexdigest())')
        origin=$(printf test.example/anchored | sha256sum | cut -d' ' -f1)
        [ "$input" = "0x$(printf glovebox-anchor-v1 | od -An -tx1 | tr -d ' \n')${origin}0000000000000001$leaf" ]
}

@test "a log with another history than the anchored one is found out" {
        cp -r "$GBX_SITE" "$WORK/forged"
        receipt=$(gbx audit ls --action anchor --json | jq -c '.[0].details')
        # A forger with the site's keys makes a new log that claims the same receipt.
        rm -rf "$WORK/forged/log" "$WORK/forged/view.db"*
        python3 - "$WORK" "$receipt" <<'PY'
import json, sys
work, receipt = sys.argv[1:]
entry = {"action": "anchor.receipt", "actor": "system", "details": json.loads(receipt), "outcome": "done", "time": "2026-11-25T00:00:00Z", "v": 1}
first = {"action": "heartbeat", "actor": "system", "details": {"number": 1}, "outcome": "done", "time": "2026-11-25T00:00:00Z", "v": 1}
with open(work + "/entries", "w") as out:
    for e in first, entry:
        out.write(json.dumps(e, sort_keys=True, separators=(",", ":")) + "\n")
PY
        echo "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg" >"$WORK/forger.key"
        "$build/tests/log-build" "$WORK/forged/log" "$WORK/forger.key" test.example/anchored <"$WORK/entries"
        status_is 5 gbx audit verify --log "$WORK/forged/log" --origin test.example/anchored --anchor "$URL" \
                --vkey "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
        says "another root"
}

@test "the node is away: anchoring fails, nothing else does; it comes back and the worker goes on" {
        stop_node
        gbx audit verify >/dev/null # something new to anchor
        status_is 1 gbx audit anchor --url "$URL"
        before=$(gbx audit ls --action anchor --json | jq length)
        gbx audit anchor --url "$URL" --every 1s >"$WORK/worker.out" 2>&1 3>&- &
        worker=$!
        sleep 1.5
        gbx audit verify >/dev/null # the site is not in anybody's way
        start_node
        for _ in $(seq 100); do
                [ "$(gbx audit ls --action anchor --json | jq length)" -gt "$before" ] && break
                sleep 0.1
        done
        kill "$worker"
        [ "$(gbx audit ls --action anchor --json | jq length)" -gt "$before" ]
        gbx audit verify --anchor "$URL"
}

@test "another chain does not have it" {
        stop_node
        rm -f "$WORK/chain.json"
        start_node
        status_is 5 gbx audit verify --anchor "$URL"
        says "the chain has no transaction"
}
