# A real run whose policy grants a flow: a native job in the sandbox, its proxy, the entries in the log.

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
        cat >"$FOLDER/fetch.c" <<'END'
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Asks the proxy for an allowed and a forbidden place, and tries a datagram and an address of its own. */
static int fetch(const char *request) {
        char host[64], answer[4096] = "";
        const char *proxy = getenv("http_proxy");
        struct sockaddr_in address = { .sin_family = AF_INET };
        int fd = socket(AF_INET, SOCK_STREAM, 0), port = 0;
        if (fd < 0 || !proxy || sscanf(proxy, "http://%63[^:]:%d", host, &port) != 2) return 0;
        address.sin_port = htons((unsigned short)port);
        inet_pton(AF_INET, host, &address.sin_addr);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) return 0;
        if (write(fd, request, strlen(request)) < 0 || read(fd, answer, sizeof answer - 1) < 0) return 0;
        close(fd);
        return atoi(answer + 9);
}
/* The trust store is where programs look that read no variable. */
static int same(const char *a, const char *b) {
        FILE *first = fopen(a, "r"), *second = fopen(b, "r");
        int c = -1, bytes = 0;
        while (first && second && (c = getc(first)) == getc(second) && c != EOF) bytes++;
        return first && second && c == EOF && bytes > 100;
}
int main(void) {
        struct sockaddr_in outside = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0x5db8d822) };
        int allowed = fetch("GET http://plain.test/v1/hello HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n");
        int forbidden = fetch("GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n");
        int datagram = socket(AF_INET, SOCK_DGRAM, 0), raw = socket(AF_INET, SOCK_RAW, 1);
        int direct = connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&outside, sizeof outside);
        return allowed == 200 && forbidden == 403 && datagram < 0 && raw < 0 && direct < 0 &&
               same("/etc/ssl/certs/ca-certificates.crt", getenv("SSL_CERT_FILE")) && same("/etc/ssl/cert.pem", "/job/trust.pem") ? 0 : 1;
}
END
        gcc -static -O1 -o "$FOLDER/fetch" "$FOLDER/fetch.c"
        sed -E 's/^policy:.*/policy: with-flows/; s/^purpose:.*/purpose: with-flows/; s/^engines:.*/engines: [lua, native]/; /^network:/d' scripts/demo/credit-scoring.yaml >"$FOLDER/flows.yaml"
        cat >>"$FOLDER/flows.yaml" <<'END'
network: flows
flows:
  - { name: plain, scheme: http, host: plain.test, paths: ["/v1/"] }
END
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

@test "an allowed flow works, all else is refused, and both are entries of the log" {
        run -0 gbx policy check "$FOLDER/flows.yaml"
        gbx policy apply "$FOLDER/flows.yaml" --as admin
        digest=$(submit "$FOLDER/fetch")
        approve "$digest" with-flows
        run outside env PATH="$PATH" gbx job run --algo "$digest" --purpose with-flows --data credit --param by=home --as bank-a
        echo "$output"
        gbx audit ls --json --as audit | jq -c ".[]" >"$FOLDER/entries"
        run -0 grep -c '"flow.closed"' "$FOLDER/entries"
        [ "$output" = 1 ]
        run -0 grep '"flow.refused"' "$FOLDER/entries"
        [[ $output == *evil.test* ]]
        grep '"run.end"' "$FOLDER/entries" | tail -1 | grep -q '"exit":0'
        run -0 gbx flows ls --as admin
        gbx audit verify --as audit
}

@test "a job that knows nothing of proxies reaches its flows by connect(2), and no trick of it reaches more" {
        gcc -static -O1 -w -o "$FOLDER/redirect" tests/fixtures/egress/redirect.c -pthread
        sed 's/with-flows/redirected/; s/^ *processes:.*/  processes: 32/; s|paths: \["/v1/"\]|paths: ["/v1/"], breaker-failures: 1000, connections: 1000|' \
                "$FOLDER/flows.yaml" >"$FOLDER/redirected.yaml"
        gbx policy apply "$FOLDER/redirected.yaml" --as admin
        digest=$(submit "$FOLDER/redirect")
        approve "$digest" redirected
        run outside env PATH="$PATH" gbx job run --algo "$digest" --purpose redirected --data credit --param by=home --as bank-a
        echo "$output"
        gbx audit ls --json --as audit | jq -c ".[]" >"$FOLDER/entries"
        grep '"run.end"' "$FOLDER/entries" | tail -1
        grep '"run.end"' "$FOLDER/entries" | tail -1 | grep -q '"exit":0'
        # The attempts on other places are entries, with the address that was asked for.
        for place in 93.184.216.34 169.254.169.254 127.0.0.1 198.18.77.77; do
                grep '"flow.refused"' "$FOLDER/entries" | grep -q "tunnel://$place:80"
        done
        # So are those by other families, and sockets of other kinds.
        grep '"syscall.denied"' "$FOLDER/entries" | jq -sc 'map(.details.calls[] | select(.syscall == "connect") | .answer) | unique' | grep -q EAFNOSUPPORT
        grep '"syscall.denied"' "$FOLDER/entries" | jq -se 'map(.details.calls[] | select(.syscall == "socket") | .class[0:2]) | contains([["AF_INET","SOCK_DGRAM"]]) and contains([["AF_PACKET","SOCK_RAW"]])'
        # Only the name that the policy grants was ever opened.
        run -0 jq -rs '[.[] | select(.action=="flow.opened") | .details.destination] | unique | join(" ")' "$FOLDER/entries"
        echo "opened: $output"
        [ "$output" = http://plain.test:80 ]
}

@test "an identifier of the job's dataset does not leave in a request that is scanned; what is none does" {
        gcc -static -O1 -w -o "$FOLDER/tell" tests/fixtures/egress/tell.c
        sed 's/with-flows/scanned/; s|paths: .*|paths: ["/v1/"], methods: [POST], request-types: [text/plain], scan: yes }|' "$FOLDER/flows.yaml" >"$FOLDER/scanned.yaml"
        gbx policy apply "$FOLDER/scanned.yaml" --as admin
        digest=$(submit "$FOLDER/tell")
        approve "$digest" scanned
        run outside env PATH="$PATH" gbx job run --algo "$digest" --purpose scanned --data credit --param by=home --as bank-a
        echo "$output"
        gbx audit ls --json --as audit | jq -c ".[]" >"$FOLDER/entries"
        grep '"run.end"' "$FOLDER/entries" | tail -1 | cut -c1-120
        grep '"run.end"' "$FOLDER/entries" | tail -1 | grep -q '"exit":0'
        [ "$(grep '"flow.refused"\|"flow.closed"' "$FOLDER/entries" | grep -c dataset-identifier)" = 3 ]
        grep '"key.use"' "$FOLDER/entries" | grep -q "identifiers for the content scan of flows"
        # The log has the rule's name, and not the value.
        run ! grep -q A00001 "$FOLDER/entries"
}

@test "a Lua job has no way to a network, whatever its policy grants, and does its work" {
        {
                echo 'for _, name in ipairs({ "require", "package", "io", "socket", "http", "net", "debug", "load", "dofile", "loadfile" }) do'
                echo '  if _ENV[name] ~= nil then error("there is " .. name) end'
                echo 'end'
                echo 'if os and (os.execute or os.getenv) then error("there is a shell") end'
                cat "$demo/default-rate.lua"
        } >"$FOLDER/offline.lua"
        gbx policy apply "$FOLDER/flows.yaml" --as admin
        digest=$(submit "$FOLDER/offline.lua")
        approve "$digest" with-flows
        run -0 outside env PATH="$PATH" gbx job run --algo "$digest" --purpose with-flows --data credit --param by=home --as bank-a
        says released
        gbx audit ls --json --as audit | jq -c ".[]" >"$FOLDER/entries"
        run=$(jq -rs 'map(select(.action == "run.end"))[-1].object' "$FOLDER/entries")
        [ "$(jq -sc --arg run "$run" 'map(select(.object == $run and (.action | startswith("flow.")))) | length' "$FOLDER/entries")" = 0 ]
        # Control: the same check speaks up where there is such a thing.
        sed 's/"socket"/"print"/; s/"require"/"string"/' "$FOLDER/offline.lua" >"$FOLDER/noisy.lua"
        digest=$(submit "$FOLDER/noisy.lua")
        approve "$digest" with-flows
        run ! outside env PATH="$PATH" gbx job run --algo "$digest" --purpose with-flows --data credit --param by=home --as bank-a
}

# Starts a run, $job, that loads slowly and for long, and waits until its flow has carried something: $state.
start_loading() { # POLICY
        cat >"$FOLDER/load.c" <<'END'
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* Loads 32 MiB; 4: the end came before. */
int main(void) {
        static const char request[] = "GET /v1/large HTTP/1.1\r\nHost: plain.test\r\nConnection: close\r\n\r\n";
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0xc6120001) };
        char part[16384];
        long all = 0, n;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 || write(fd, request, strlen(request)) < 0) return 3;
        while ((n = read(fd, part, sizeof part)) > 0) all += n;
        return all > 33554432 ? 0 : 4;
}
END
        gcc -static -O1 -w -o "$FOLDER/load" "$FOLDER/load.c"
        echo "$1" >>"$FOLDER/load" # the same bytes are not submitted twice
        sed "s/with-flows/$1/; s|paths: .*|paths: [\"/v1/\"], rate: 256K }|" "$FOLDER/flows.yaml" >"$FOLDER/$1.yaml"
        gbx policy apply "$FOLDER/$1.yaml" --as admin
        digest=$(submit "$FOLDER/load")
        approve "$digest" "$1"
        nsenter --net="/proc/$LAB_NAMESPACE/ns/net" -- gbx job run --algo "$digest" --purpose "$1" --data credit \
                --param by=home --as bank-a >"$FOLDER/run.out" 2>&1 3>&- &
        job=$!
        local tries
        for tries in $(seq 200); do
                state=$(gbx flows ls --json --as admin | jq -c '[.[].flows[] | select(.received > 100000)]')
                [ "$state" = '[]' ] || break
                sleep 0.05
        done
        echo "$state"
}

@test "an admin sees a live flow with its rate, and cuts it" {
        start_loading loading
        # The rate that the policy sets, with room for the first burst and a busy machine.
        jq -e '.[0] | .rule == "plain" and .host == "plain.test" and .rate > 10000 and .rate < 2000000' <<<"$state"
        run -0 gbx flows ls --as admin
        says "BYTES/S"
        says plain.test
        # Not an analyst's to end, and not by a name that no run has.
        run ! gbx flows cut --analyst bank-a --as bank-a
        run ! gbx flows cut --analyst bank-b --as admin
        gbx flows cut --analyst bank-a --as admin
        wait "$job" || true
        gbx audit ls --json --as audit | jq -c ".[]" >"$FOLDER/entries"
        grep '"run.end"' "$FOLDER/entries" | tail -1 | grep -q '"exit":4'
        grep '"flow.closed"' "$FOLDER/entries" | tail -1 | grep -q '"cut"'
        [ "$(gbx flows ls --json --as admin)" = '[]' ]
}

# --- what is ours on this host, a line each --------------------------------------

family() { # PID: it and its descendants
        local child
        echo "$1"
        for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do family "$child"; done
}
# Who is still there: by number and time of start, so that a later process of the same number is not taken for it.
born() { # PID
        sed -n 's/.*) [^ZX] //p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f19
}
ours() { # reads what was noted before the kill
        local pid start
        while read -r pid start; do [ "$(born "$pid")" != "$start" ] || echo "process $pid"; done <"$FOLDER/family"
        while read -r path; do [ ! -e "$path" ] || echo "cgroup $path"; done <"$FOLDER/cgroups"
        # Held by a process, an open descriptor or a mount.
        { readlink /proc/[0-9]*/ns/* /proc/[0-9]*/fd/*; cat /proc/[0-9]*/mountinfo; } 2>/dev/null | grep -oFf "$FOLDER/namespaces" | sort -u
        cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -F "$build/images/" || true
        cat /proc/self/mountinfo "/proc/$LAB_NAMESPACE/mountinfo" | cut -d' ' -f3- | sort -u | comm -13 "$FOLDER/mounts" - | grep -E 'gbx|glovebox|squashfs' || true
        { ip -o link; outside ip -o link; } | cut -d: -f2 | sort | comm -13 "$FOLDER/devices" -
}

@test "SIGKILL of a run with a live flow leaves nothing of it, and the dataset's values in no file" {
        local marker pid space tries place control
        # A value that is nowhere else. It must not be printed either: bats keeps output in files.
        marker=Z$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
        sed "s/A00001/$marker/" "$fixtures/credit.csv" | age -r "$(gbx keys recipient)" -o "$FOLDER/marked.age"
        gbx data add credit --owner fund --schema "$demo/credit.schema.yaml" --key "$PEOPLE/fund" "$FOLDER/marked.age" --as fund
        cat /proc/self/mountinfo "/proc/$LAB_NAMESPACE/mountinfo" | cut -d' ' -f3- | sort -u >"$FOLDER/mounts"
        { ip -o link; outside ip -o link; } | cut -d: -f2 | sort >"$FOLDER/devices"
        start_loading killed
        [ "$state" != '[]' ]
        # What there is of it now: the control of what is looked for afterwards.
        for pid in $(family "$job"); do
                echo "$pid $(born "$pid")"
                readlink /proc/"$pid"/ns/* >>"$FOLDER/all-namespaces" || true
                sed 's|^[^/]*|/sys/fs/cgroup|' /proc/"$pid"/cgroup >>"$FOLDER/all-cgroups"
                ! grep -rqsF "$marker" "/proc/$pid/root/data/" || touch "$FOLDER/delivered"
        done >"$FOLDER/family"
        { readlink /proc/self/ns/* "/proc/$LAB_NAMESPACE"/ns/*; } | sort -u >"$FOLDER/host-namespaces"
        sort -u "$FOLDER/all-namespaces" | comm -23 - "$FOLDER/host-namespaces" >"$FOLDER/namespaces"
        sort -u "$FOLDER/all-cgroups" | grep -E 'glovebox|gbx' >"$FOLDER/cgroups"
        ours >"$FOLDER/there"
        cat "$FOLDER/there"
        for space in ^process ^cgroup ^net: ^mnt: ^pid: ^user: /images/; do grep -q "$space" "$FOLDER/there"; done
        [ -e "$FOLDER/delivered" ]

        kill -KILL "$job"
        wait "$job" || true
        for tries in $(seq 60); do
                ours >"$FOLDER/left"
                [ -s "$FOLDER/left" ] || break
                sleep 0.05
        done
        echo "left after $tries looks:" && cat "$FOLDER/left"
        [ ! -s "$FOLDER/left" ]

        for place in /tmp /dev/shm /run "$GBX_SITE"; do
                run ! grep -rqsF "$marker" "$place"
                control=$(mktemp "$place/gbx-control-XXXXXX")
                echo "$marker" >"$control"
                run grep -rlsF "$marker" "$place"
                rm "$control"
                [ "$output" = "$control" ]
        done
        # The site goes on, and says of no flow that it lives.
        gbx audit verify --as audit
        [ "$(gbx flows ls --json --as admin)" = '[]' ]
}
