# Witnesses (C2SP tlog-witness): separate programs with keys and memory of their own, and a site that asks them.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        export GBX_SITE=$WORK/site
        gbx init --origin test.example/witnessed >&2
        export VKEY=$(gbx keys log)
        for name in one two; do
                gbx-witness keygen "witness.example/$name" "$WORK/$name.key" >"$WORK/$name.vkey"
                start_witness "$name"
        done
        write_policy 2
        cp "$WORK/policy" "$GBX_SITE/witness-policy"
}

teardown_file() {
        for name in one two; do stop_witness "$name"; done
        rm -rf "$WORK"
}

start_witness() { # NAME; on the port that it had before, if any
        local port=0
        [ ! -f "$WORK/$1.port" ] || port=$(cat "$WORK/$1.port")
        gbx-witness serve --key "$WORK/$1.key" --state "$WORK/$1.state" --listen "127.0.0.1:$port" --log "$VKEY" \
                >"$WORK/$1.out" 2>>"$WORK/$1.log" 3>&- &
        echo $! >"$WORK/$1.pid"
        for _ in $(seq 100); do
                grep -q listening "$WORK/$1.out" && break
                sleep 0.05
        done
        sed -n 's/.*:\([0-9]*\)$/\1/p' "$WORK/$1.out" | head -1 >"$WORK/$1.port"
}

stop_witness() { # NAME
        [ -f "$WORK/$1.pid" ] || return 0
        kill "$(cat "$WORK/$1.pid")" 2>/dev/null || true
        for _ in $(seq 100); do
                kill -0 "$(cat "$WORK/$1.pid")" 2>/dev/null || break
                sleep 0.05
        done
        rm "$WORK/$1.pid"
}

write_policy() { # K: how many of the two are required
        {
                echo "# who must have seen a checkpoint"
                echo "log $VKEY"
                for name in one two; do echo "witness $name $(cat "$WORK/$name.vkey") http://127.0.0.1:$(cat "$WORK/$name.port")/"; done
                echo "group all-of-us $1 one two"
                echo "quorum all-of-us"
        } >"$WORK/policy"
}

add_entry() { gbx audit verify >/dev/null; } # an audit is an entry, too

@test "each checkpoint is cosigned as it is made, and the auditor's policy is met" {
        add_entry
        [ "$(grep -c '^— witness.example/' "$GBX_SITE/log/checkpoint")" = 2 ]
        status_is 0 gbx audit verify --log "$GBX_SITE/log" --vkey "$VKEY" --witness-policy "$WORK/policy"
        says "cosigned by 2 of 2 witnesses; the quorum is met"
        status_is 0 gbx audit witness --known --json
        [ "$(jq 'all(.cosigned and .behind == 0)' <<<"$output")" = true ]
}

@test "a proof made now carries the cosignatures, and is checked against the policy offline" {
        gbx audit prove 0 --out "$WORK/proof"
        gbx audit check-proof "$WORK/proof" --vkey "$VKEY" --witness-policy "$WORK/policy"
        grep -v '^— witness.example/two' "$WORK/proof" >"$WORK/proof-1"
        status_is 5 gbx audit check-proof "$WORK/proof-1" --vkey "$VKEY" --witness-policy "$WORK/policy"
        says "missing: two"
}

@test "a witness is away: the site goes on, shows how far behind it is, and the auditor sees the quorum missing" {
        stop_witness two
        add_entry
        add_entry
        status_is 5 gbx audit verify --log "$GBX_SITE/log" --vkey "$VKEY" --witness-policy "$WORK/policy"
        says "missing: two"
        status_is 1 gbx audit witness --json
        [ "$(jq -s '.[0] | map(select(.witness == "two"))[0] | .behind > 0 and .problem != "" and (.cosigned | not)' <<<"${output%%quorum*}")" = true ]
        write_policy 1
        gbx audit verify --log "$GBX_SITE/log" --vkey "$VKEY" --witness-policy "$WORK/policy"
}

@test "it comes back and catches up, also when the site forgot how far it was" {
        start_witness two
        rm "$GBX_SITE/log/.state/witnesses"
        status_is 0 gbx audit witness --json
        [ "$(jq 'all(.cosigned and .behind == 0 and .problem == "")' <<<"$output")" = true ]
}

@test "an older copy of the site is put back: the witnesses say so, and do not cosign it" {
        cp -r "$GBX_SITE" "$WORK/older"
        add_entry
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/mallory"
        gbx user add mallory --role admin --ssh-key "$WORK/mallory.pub" --site "$WORK/older" # another history from here on
        status_is 1 gbx audit witness --site "$WORK/older"
        [ "$(grep -c '^— witness.example/' "$WORK/older/log/checkpoint")" = 0 ]
        [[ "$output" == *"an older copy of the log was put back"* || "$output" == *"it answered 422"* ]]
}

@test "requests over HTTP: the status codes of the specification" {
        url=http://127.0.0.1:$(cat "$WORK/one.port")/add-checkpoint
        size=$(sed -n 2p "$GBX_SITE/log/checkpoint")
        { printf 'old 0\n\n'; cat "$GBX_SITE/log/checkpoint"; } >"$WORK/request"
        [ "$(curl -s -o "$WORK/answer" -w '%{http_code} %{content_type}' --data-binary @"$WORK/request" "$url")" = "409 text/x.tlog.size" ]
        [ "$(cat "$WORK/answer")" = "$size" ]
        { printf 'old %s\n\n' "$size"; cat "$GBX_SITE/log/checkpoint"; } >"$WORK/request"
        [ "$(curl -s -o "$WORK/answer" -w '%{http_code}' --data-binary @"$WORK/request" "$url")" = 200 ]
        grep -q '^— witness.example/one ' "$WORK/answer"
        [ "$(curl -s -o /dev/null -w '%{http_code}' --data-binary 'nonsense' "$url")" = 400 ]
        sed 's/^test.example/else.example/' "$WORK/request" >"$WORK/unknown"
        [ "$(curl -s -o /dev/null -w '%{http_code}' --data-binary @"$WORK/unknown" "$url")" = 404 ]
        sed "4s/$size/$((size + 1))/" "$WORK/request" >"$WORK/forged"
        [ "$(curl -s -o /dev/null -w '%{http_code}' --data-binary @"$WORK/forged" "$url")" = 403 ]
        [ "$(curl -s -o /dev/null -w '%{http_code}' "$url")" = 405 ]
        [ "$(curl -s -o /dev/null -w '%{http_code}' "${url%add-checkpoint}")" = 404 ]
        [ "$(head -c 200000 /dev/zero | curl -s -o /dev/null -w '%{http_code}' --data-binary @- "$url")" = 413 ]
}

@test "killed at any moment, a witness never cosigns what does not extend what it cosigned before" {
        stop_witness one
        for _ in 1 2 3; do
                start_witness one
                add_entry
                kill -9 "$(cat "$WORK/one.pid")"
                rm "$WORK/one.pid"
        done
        start_witness one
        size=$(sed -n 2p "$GBX_SITE/log/checkpoint")
        { printf 'old 0\n\n'; cat "$GBX_SITE/log/checkpoint"; } >"$WORK/request"
        curl -s -o "$WORK/answer" --data-binary @"$WORK/request" "http://127.0.0.1:$(cat "$WORK/one.port")/add-checkpoint"
        [ "$(cat "$WORK/answer")" = "$size" ]
}

@test "two witnesses cannot use one state; a key that others may read is refused" {
        status_is 1 timeout 5 gbx-witness serve --key "$WORK/one.key" --state "$WORK/one.state" --listen 127.0.0.1:0 --log "$VKEY"
        says "another witness uses the state"
        cp "$WORK/one.key" "$WORK/open.key"
        chmod 644 "$WORK/open.key"
        status_is 3 timeout 5 gbx-witness serve --key "$WORK/open.key" --state "$WORK/x" --listen 127.0.0.1:0 --log "$VKEY"
        status_is 2 gbx-witness serve --key "$WORK/one.key"
}

@test "a witness behind TLS is asked when its certificate is good, and only then" {
        command -v nginx >/dev/null || skip "nginx is missing"
        port=$((20000 + RANDOM % 20000))
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                -keyout "$WORK/tls.key" -out "$WORK/tls.crt" 2>/dev/null
        cat >"$WORK/nginx.conf" <<CONF
daemon off; pid $WORK/nginx.pid; error_log $WORK/nginx.log; user root; worker_processes 1;
events {}
http {
        access_log off;
        client_body_temp_path $WORK/t1; proxy_temp_path $WORK/t2; fastcgi_temp_path $WORK/t3; uwsgi_temp_path $WORK/t4; scgi_temp_path $WORK/t5;
        server {
                listen 127.0.0.1:$port ssl;
                ssl_certificate $WORK/tls.crt; ssl_certificate_key $WORK/tls.key;
                location / { proxy_pass http://127.0.0.1:$(cat "$WORK/one.port"); }
        }
}
CONF
        nginx -c "$WORK/nginx.conf" 2>/dev/null 3>&- &
        nginx=$!
        for _ in $(seq 100); do curl -sk -o /dev/null "https://localhost:$port/" && break; sleep 0.05; done
        sed "s#http://127.0.0.1:$(cat "$WORK/one.port")/#https://localhost:$port/#; s/all-of-us [12]/all-of-us 1/; s/^witness two.*//; s/ two$//" "$WORK/policy" >"$WORK/tls-policy"
        add_entry
        rm "$GBX_SITE/witness-policy"
        add_entry # this checkpoint nobody has seen
        SSL_CERT_FILE=$WORK/tls.crt run gbx audit witness --witness-policy "$WORK/tls-policy" --json
        trusted=$status
        add_entry
        run gbx audit witness --witness-policy "$WORK/tls-policy"
        kill "$nginx"
        echo "$output"
        [ "$trusted" -eq 0 ]
        [ "$status" -eq 1 ]
        says "its TLS certificate is refused"
}
