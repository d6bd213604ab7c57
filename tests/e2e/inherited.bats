# What a program inherits (base/process.h): under each condition of the tables a Lua and a native job come out as without
# it, or gbx refuses at its start and names what it lacks.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        export LUA=$(submit "$demo/default-rate.lua") NATIVE=$(submit "$build/demo/scorecard" --engine native)
        approve "$LUA" >&2
        approve "$NATIVE" >&2
        result "$LUA" >"$WORK/lua"
        result "$NATIVE" >"$WORK/native"
        grep -q '^sha256:' "$WORK/lua" && grep -q '^sha256:' "$WORK/native"
        mkdir -p "$WORK"/image/{bin,dev,proc,tmp}
        gcc -static -O1 -o "$WORK/image/bin/inherited" "$BATS_TEST_DIRNAME/inherited.c"
        chmod -R go+rX "$WORK/image" && chmod 755 "$WORK"
}

teardown_file() {
        rm -rf "$WORK"
}

# Runs a job under a condition (a command that is put in front, or nothing) and prints the digest of what it put out, as
# the gate found it. What is released has a mark, another each time. The errors come by a pipe: a file may be limited.
result() { # DIGEST [COMMAND…]
        local digest=$1 id
        shift
        "$@" "$build/gbx" job run --algo "$digest" --data credit --purpose credit-scoring --param by=home --as bank-a --json \
                2>&1 >"$WORK/said" | cat >"$WORK/complained"
        [ "${PIPESTATUS[0]}" = 0 ] || { echo "status ${PIPESTATUS[0]}"; cat "$WORK/said" "$WORK/complained"; return 1; }
        [ "$(jq -r .state "$WORK/said")" = released ] || { cat "$WORK/said"; return 1; }
        id=$(jq -r .run "$WORK/said")
        gbx job show "$id" --json --as audit | jq -r .output
}

same_as_without() { # NAME COMMAND…
        local name=$1 kind digest
        shift
        for kind in lua native; do
                [ "$kind" = lua ] && digest=$LUA || digest=$NATIVE
                result "$digest" "$@" >"$WORK/now" || { echo "$name, $kind:"; cat "$WORK/now"; return 1; }
                cmp "$WORK/$kind" "$WORK/now" || { echo "$name, $kind: another result"; return 1; }
        done
}

# Under these the start either sets what it needs (it may, where it has CAP_SYS_RESOURCE) or refuses by name.
same_or_refused() { # NAME COMMAND…
        if same_as_without "$@" >"$WORK/why" 2>&1; then
                return 0
        fi
        grep -q "^status 1$" "$WORK/why" && grep -q "gbx: $1 is too low and cannot be raised" "$WORK/why" || { cat "$WORK/why"; return 1; }
}

with_timer() { # WHICH COMMAND…: expires every 20 ms, and would kill
        python3 -c 'import os, signal, sys
signal.setitimer(getattr(signal, sys.argv[1]), 0.02, 0.02)
os.execvp(sys.argv[2], sys.argv[2:])' "$@"
}

with_umask() { # MASK COMMAND…
        (umask "$1" && shift && exec "$@")
}

@test "file modes: no umask hides a file from a job" {
        for mask in 000 022 027 077 0177 0777; do
                same_as_without "umask $mask" with_umask $mask
        done
}

@test "a umask of 0 does not open the site: its files are the owner's alone" {
        with_umask 000 gbx init --site "$WORK/open" --origin test.example/open
        [ "$(stat -c %a "$WORK/open")" = 700 ]
        [ -z "$(find "$WORK/open" -perm /022)" ] || { find "$WORK/open" -perm /022 -ls; false; }
}

@test "signals: ignored or blocked ones change nothing" {
        same_as_without "SIGCHLD ignored" env --ignore-signal=CHLD
        same_as_without "all ignored" env --ignore-signal
        same_as_without "all blocked" env --block-signal
        same_as_without "ignored and blocked" env --ignore-signal --block-signal
        same_as_without "nohup" nohup
}

@test "timers that run are stopped" {
        same_as_without "ITIMER_REAL" with_timer ITIMER_REAL
        same_as_without "ITIMER_VIRTUAL" with_timer ITIMER_VIRTUAL
        same_as_without "ITIMER_PROF" with_timer ITIMER_PROF
}

@test "soft limits are raised" {
        for limit in fsize=0: fsize=4096: nofile=16: cpu=1: as=100000000: data=50000000: stack=65536: stack=unlimited memlock=0: \
                core=unlimited core=0: sigpending=0: msgqueue=0: locks=0: rss=1000: rtprio=0: nice=0:; do
                same_as_without "soft $limit" prlimit --"$limit"
        done
}

@test "hard limits are raised, or the start refuses and names the limit" {
        while read -r name limit; do
                same_or_refused "$name" prlimit --"$limit"
        done <<'END'
RLIMIT_FSIZE fsize=0:0
RLIMIT_FSIZE fsize=1000000:1000000
RLIMIT_NOFILE nofile=16:16
RLIMIT_NOFILE nofile=200:200
RLIMIT_CPU cpu=60:60
RLIMIT_AS as=400000000:400000000
RLIMIT_DATA data=400000000:400000000
RLIMIT_STACK stack=262144:262144
END
}

@test "without the privilege to raise a hard limit every program refuses, with status 1, and names it" {
        for program in gbx gbx-sandbox gbx-egress gbx-witness gbx-image-digest; do
                while read -r name limit; do
                        status_is 1 setpriv --bounding-set=-sys_resource prlimit --"$limit" "$build/$program" --help
                        says "$program: $name is too low and cannot be raised"
                done <<'END'
RLIMIT_FSIZE fsize=4096:4096
RLIMIT_NOFILE nofile=16:16
RLIMIT_AS as=400000000:400000000
END
        done
}

@test "standard descriptors: closed, full or odd ones are no one else's" {
        closed_input() { "$@" <&-; }
        closed_error() { "$@" 2>&-; }
        full_error() { "$@" 2>/dev/full; }
        full_input() { "$@" </dev/full; }
        write_only_input() { "$@" 0>/dev/null; }
        both_closed() { "$@" <&- 2>&-; }
        for condition in closed_input closed_error full_error full_input write_only_input both_closed; do
                same_as_without $condition $condition
        done
}

@test "many inherited descriptors" {
        many() {
                python3 -c 'import os, sys
for i in range(180): os.set_inheritable(os.open("/dev/null", os.O_RDWR), True)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
        }
        same_as_without "180 descriptors" many
        same_as_without "180 descriptors and a soft limit close to them" many prlimit --nofile=200:
}

@test "where one stands: a removed directory, one that may not be read" {
        removed() { (mkdir -p "$WORK/gone" && cd "$WORK/gone" && rmdir "$WORK/gone" && exec "$@"); }
        same_as_without "a removed directory" removed
        same_as_without "/proc/self" env -C /proc/self
}

@test "environment: options, cryptography, locale and temporary files are what they are without" {
        printf 'openssl_conf = init\nconfig_diagnostics = 1\n[init]\nproviders = none\n[none]\nbase = base\n[base]\nactivate = 1\n' >"$WORK/openssl.cnf"
        same_as_without POSIXLY_CORRECT env POSIXLY_CORRECT=1
        same_as_without OPENSSL_CONF env OPENSSL_CONF="$WORK/openssl.cnf"
        same_as_without OPENSSL_MODULES env OPENSSL_MODULES=/nonexistent OPENSSL_ENGINES=/nonexistent
        same_as_without TMPDIR env TMPDIR=/nonexistent SQLITE_TMPDIR=/nonexistent
        same_as_without SSL_CERT_FILE env SSL_CERT_FILE=/nonexistent SSL_CERT_DIR=/nonexistent
        same_as_without LC_ALL env LC_ALL=C LANG=xx_YY.nothing
        same_as_without TZ env TZ=Pacific/Apia
        same_as_without PATH env PATH= HOME=
        same_as_without "an empty environment" env -i GBX_SITE="$GBX_SITE"
}

@test "process attributes: nice, personality, death signal, session, processors" {
        same_as_without nice nice -n 15
        same_as_without "no randomisation" setarch -R
        same_as_without "an old kernel's name" setarch --uname-2.6
        same_as_without "READ_IMPLIES_EXEC" setarch -X
        same_as_without "death signal" setpriv --pdeathsig KILL
        same_as_without "session" setsid --wait
        same_as_without "one processor" taskset 1
        same_as_without "no new privileges" setpriv --no-new-privs
        same_as_without "idle scheduling" chrt --idle 0
}

# The job of gbx-sandbox by hand: inherited.c looks at what has reached it.
@test "what reaches a job: no mask, ignored or blocked signal, timer, limit, personality or descriptor of who starts it" {
        echo "{\"version\":1,\"name\":\"inherited\",\"image\":{\"directory\":\"$WORK/image\"},\"argv\":[\"/bin/inherited\"],
              \"profile\":\"native\",\"limits\":{\"wall_ms\":20000,\"memory_bytes\":33554432,\"pids\":4}}" >"$WORK/spec"
        many() {
                python3 -c 'import os, sys
for i in range(180): os.set_inheritable(os.open("/dev/null", os.O_RDWR), True)
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
        }
        status_is 0 "$build/gbx-sandbox" run "$WORK/spec"
        status_is 0 with_umask 0777 "$build/gbx-sandbox" run "$WORK/spec"
        status_is 0 env --ignore-signal --block-signal "$build/gbx-sandbox" run "$WORK/spec"
        status_is 0 with_timer ITIMER_REAL "$build/gbx-sandbox" run "$WORK/spec"
        status_is 0 with_timer ITIMER_PROF "$build/gbx-sandbox" run "$WORK/spec"
        status_is 0 prlimit --stack=65536: --as=100000000: --data=50000000: --core=unlimited: "$build/gbx-sandbox" run "$WORK/spec"
        status_is 0 prlimit --stack=unlimited: "$build/gbx-sandbox" run "$WORK/spec"
        status_is 0 setarch linux32 --uname-2.6 -R "$build/gbx-sandbox" run "$WORK/spec"
        status_is 0 many "$build/gbx-sandbox" run "$WORK/spec"
}

@test "output that cannot be written: every program and every listing ends with 1 and says so" {
        fails_on_full() {
                status_is 1 bash -c '"$@" 2>&1 >/dev/full' -- "$@"
                says "cannot write to standard output"
                status_is 1 bash -c '"$@" 2>&1 >&-' -- "$@"
                says "cannot write to standard output"
        }
        for program in gbx gbx-sandbox gbx-lua gbx-lua-duckdb; do
                fails_on_full "$build/$program" --help
        done
        fails_on_full gbx --version
        fails_on_full gbx job --help
        fails_on_full gbx job run --help
        fails_on_full gbx-sandbox profiles
        fails_on_full gbx-sandbox profiles lua
        for command in "job ls" "data ls" "user ls" "release ls" "algo ls" "policy show credit-scoring" "audit ls" "status" \
                "keys log" "keys recipient" "audit ls --json" "job ls --json"; do
                fails_on_full gbx $command --as audit
        done
        fails_on_full gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a
        fails_on_full gbx algo try "$demo/default-rate.lua" --purpose credit-scoring --param by=home --as bank-a
}

@test "a reader that goes away is an output that could not be written" {
        run bash -c 'set -o pipefail; (sleep 0.3; gbx-sandbox profiles lua) | true'
        [ "$status" -eq 1 ]
}

# --- where a site lies, and who else starts at the same time: runs with flows ---

# A site of its own with a policy of flows that are inspected, and a job that goes on until it is told to stop.
flows_site() { # FOLDER
        mkdir -p "$1"
        make_site "$1" >/dev/null
        sed -E 's/^policy:.*/policy: flows/; s/^purpose:.*/purpose: flows/; /^network:/d' "$demo/credit-scoring.yaml" >"$1/flows.yaml"
        printf 'network: flows\nflows:\n  - { name: api, scheme: https, host: api.test, tls: { mode: inspect }, paths: ["/v1/"] }\n' >>"$1/flows.yaml"
        gbx policy apply "$1/flows.yaml" --as admin >/dev/null
        NAME=/job/$(printf 'i%06d' $((RANDOM * RANDOM % 1000000)))
        gcc -static -O1 -DNAME="\"$NAME\"" -o "$1/slow" "$BATS_TEST_DIRNAME/slow.c"
        SLOW=$(submit "$1/slow" --engine native)
        approve "$SLOW" flows >/dev/null
}

start_slow() {
        env --default-signal setsid gbx job run --algo "$SLOW" --data credit --purpose flows --param by=home --as bank-a \
                >>"$WORK/slow.out" 2>&1 3>&- 4>&- &
        RUNS="${RUNS:-} $!"
}

computing() { # RUNS
        for _ in $(seq 1000); do
                [ "$(pgrep -fc "^$NAME")" = $(($1 * 2)) ] && return 0
                sleep 0.02
        done
        cat "$WORK/slow.out"
        return 1
}

stop_slow() {
        kill -TERM $RUNS
        wait $RUNS || true
        RUNS=
}

teardown() {
        [ -z "${RUNS:-}" ] || kill -9 $RUNS 2>/dev/null || true
}

@test "a site may lie under any path: flows are listed and cut there too" {
        long=$WORK/$(printf 'd%.0s' $(seq 120))/$(printf 'e%.0s' $(seq 120))
        flows_site "$long"
        [ "${#GBX_SITE}" -gt 240 ]
        start_slow
        computing 1
        gbx flows ls --json --as admin | jq -e 'length == 1 and .[0].run == "run-000001"'
        [ "$(stat -c %a "$GBX_SITE/flows/run-000001")" = 600 ]
        gbx flows cut --run run-000001 --as admin
        stop_slow
        [ "$(gbx flows ls --json --as admin)" = '[]' ]
        grep -q cancelled "$WORK/slow.out"
}

@test "runs that are the first at once make one CA of inspection, and all use it" {
        flows_site "$WORK/first"
        flock -o "$GBX_SITE/keys" sleep 60 3>&- & # until all three want to make it
        holder=$!
        until [ "$(flock -n "$GBX_SITE/keys" echo free)" != free ]; do sleep 0.02; done
        for _ in 1 2 3; do start_slow; done
        for _ in $(seq 500); do
                [ "$(grep -c -- '-> FLOCK' /proc/locks)" -ge 3 ] && break
                sleep 0.02
        done
        [ ! -e "$GBX_SITE/keys/egress-ca.key" ]
        kill "$holder" $(pgrep -P "$holder")
        computing 3
        for job in $(pgrep -f "^$NAME"); do
                openssl x509 -in "/proc/$job/root/job/trust.pem" -outform DER | sha256sum
        done | sort -u >"$WORK/authorities"
        [ "$(wc -l <"$WORK/authorities")" = 1 ]
        openssl x509 -in "$GBX_SITE/keys/egress-ca.pem" -outform DER | sha256sum | cmp - "$WORK/authorities"
        cmp <(openssl x509 -in "$GBX_SITE/keys/egress-ca.pem" -noout -pubkey) <(openssl pkey -in "$GBX_SITE/keys/egress-ca.key" -pubout)
        stop_slow
}
