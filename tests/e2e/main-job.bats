# The main job, end to end: the story of the README, with each claim checked.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        export LUA=$(submit "$demo/default-rate.lua") NATIVE=$(submit "$build/demo/scorecard" --engine native)
}

teardown_file() {
        rm -rf "$WORK"
}

job() { # DIGEST GROUPING
        gbx job run --algo "$1" --data credit --purpose credit-scoring --param by="$2" --as "${3:-bank-a}"
}

last_run() {
        gbx job ls --json | jq -r 'last | .id'
}

# The default rates by home, computed with awk from the clear text: what the releases must say, give or take the mark.
expected() {
        awk -F, 'NR > 1 { gsub(/"/, ""); h = $4 == "" ? "NA" : $4; n[h]++; if ($2 == "bad") b[h]++ }
                END { for (h in n) printf "%s,%d,%.3f\n", h, n[h], b[h] / n[h] }' "$fixtures/credit.csv" | sort
}

# Each row's count is exact; each rate is within the tolerance of the mark (one unit of 0.001, and rounding).
matches_expected() { # CSV
        tail -n +2 "$1" | tr -d '"' | while IFS=, read -r home count rate; do
                [ -n "$home" ] || home=NA
                expected | grep "^$home,$count," | awk -F, -v r="$rate" '{ d = $3 - r; exit !(d < 0.0021 && d > -0.0021) }'
        done
}

@test "before any approval, analysts try their code on dummy data and see everything" {
        status_is 0 gbx algo try "$demo/default-rate.lua" --purpose credit-scoring --param by=home --as bank-a
        says "home,applicants,default_rate"
        says "the same outputs"
        status_is 0 gbx algo try "$build/demo/scorecard" --purpose credit-scoring --param by=home --as bank-a
        says "home,applicants,default_rate"
        status_is 1 gbx algo try "$demo/hostile.lua" --purpose credit-scoring --param by=home --as bank-a
        says "runtime-error at line"
        [ "$(gbx algo ls --json | jq -r '.[] | select(.name == "default-rate.lua") | .deterministic')" = 1 ]
}

@test "an algorithm whose outputs differ from run to run is told so at submission" {
        cat >"$WORK/clock.c" <<'C'
#include <stdio.h>
#include <time.h>
int main(void) {
        struct timespec t;
        FILE *f = fopen("/out/t.csv", "w"), *m = fopen("/out/release.json", "w");
        clock_gettime(CLOCK_REALTIME, &t);
        fprintf(f, "home,applicants,default_rate\nowner,%ld,0.5\n", 100 + t.tv_nsec % 1000000);
        fprintf(m, "{\"version\":1,\"outputs\":[{\"file\":\"t.csv\",\"kind\":\"table\",\"columns\":["
                   "{\"name\":\"home\",\"type\":\"text\",\"role\":\"key\"},{\"name\":\"applicants\",\"type\":\"integer\",\"role\":\"count\"},"
                   "{\"name\":\"default_rate\",\"type\":\"decimal\",\"role\":\"value\",\"unit\":\"0.001\"}]}]}");
        return fclose(f) | fclose(m);
}
C
        gcc -static -O1 -o "$WORK/clock" "$WORK/clock.c"
        status_is 0 gbx algo submit "$WORK/clock" --as bank-a
        says "cannot be replayed"
}

@test "an algorithm that nobody approved does not run" {
        status_is 3 job "$LUA" home
        says "too-few-approvals"
}

@test "small cells make the gate hold the table, and the analyst learns the rule, not the value" {
        approve "$LUA"
        status_is 4 job "$LUA" job,home
        says "minimum-count"
        held=$(last_run)
        status_is 0 gbx review ls --as wang
        says "$held"
        status_is 0 gbx review show "$held" --as wang
        says "minimum-count"
        status_is 3 gbx review show "$held" --as bank-a
        status_is 1 gbx job fetch "$held" --output "$WORK/held" --as bank-a
        ! grep -raq freelance "$GBX_SITE/held" || false # encrypted while it waits
}

@test "a coarser grouping passes: released, fetched, opened by its recipient alone, right" {
        status_is 0 job "$LUA" home
        run_id=$(last_run)
        status_is 0 gbx job fetch "$run_id" --output "$WORK/lua" --as bank-a
        ! age -d -i "$PEOPLE/bank-b.age" "$WORK"/lua/*.csv.age >/dev/null 2>&1 || false
        age -d -i "$PEOPLE/bank-a.age" -o "$WORK/lua.csv" "$WORK"/lua/*.csv.age
        cat "$WORK/lua.csv"
        [ "$(wc -l <"$WORK/lua.csv")" -ge 6 ]
        matches_expected "$WORK/lua.csv"
        status_is 3 gbx job fetch "$run_id" --output "$WORK/stolen" --as bank-b
}

@test "the provenance manifest is signed and names the file, and nothing else passes for it" {
        status_is 0 gbx release verify "$WORK/lua/provenance.intoto.json" "$WORK/lua.csv"
        says "for bank-a"
        key=$(gbx keys provenance)
        status_is 0 env -u GBX_SITE gbx release verify "$WORK/lua/provenance.intoto.json" "$WORK/lua.csv" --provenance-key "$key"
        sed 's/owner/0wner/' "$WORK/lua.csv" >"$WORK/forged.csv"
        status_is 5 gbx release verify "$WORK/lua/provenance.intoto.json" "$WORK/forged.csv"
        jq -r .payload "$WORK/lua/provenance.intoto.json" | base64 -d | sed 's/"recipient":"bank-a"/"recipient":"bank-b"/' | base64 -w0 >"$WORK/payload"
        jq -c --rawfile p "$WORK/payload" '.payload = $p' "$WORK/lua/provenance.intoto.json" >"$WORK/forged.json"
        status_is 5 gbx release verify "$WORK/forged.json" "$WORK/lua.csv"
        jq -r .payload "$WORK/lua/provenance.intoto.json" | base64 -d | jq -e '.predicate.marks | to_entries[0].value.claim' >/dev/null
}

@test "a kernel without memfd_secret: the same release, and each key in memory that is locked instead" {
        local count
        # A file for each thread: lines of one are never split by another's.
        strace -ff -qq -e trace=memfd_secret,mlock,mlock2 -e signal=none -o "$WORK/with" \
                gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a
        strace -ff -qq -e trace=memfd_secret,mlock,mlock2 -e signal=none -o "$WORK/without" \
                "$build/block-calls" memfd_secret "$build/gbx" job run --algo "$LUA" --data credit --purpose credit-scoring \
                --param by=home --as bank-a
        grep -qh 'memfd_secret(.* = [0-9]' "$WORK"/with.* || skip "this kernel has no memfd_secret to take away"
        ! grep ENOSYS "$WORK"/with.* || false
        # Each refusal is followed by a lock that is granted.
        count=$(awk 'FNR == 1 && wanted { exit 1 } /^memfd_secret/ { if (!/ENOSYS/ || wanted) exit 1; wanted = 1; n++ }
                /^mlock2?\(/ { if (!/ = 0$/) exit 1; wanted = 0 } END { if (wanted) exit 1; print n }' "$WORK"/without.*)
        echo "$count secrets"
        [ "$count" -ge 4 ]
        gbx job fetch "$(last_run)" --output "$WORK/locked" --as bank-a
        age -d -i "$PEOPLE/bank-a.age" -o "$WORK/locked.csv" "$WORK"/locked/*.csv.age
        matches_expected "$WORK/locked.csv"
}

@test "a native program gives the same table" {
        approve "$NATIVE"
        status_is 0 job "$NATIVE" home
        gbx job fetch "$(last_run)" --output "$WORK/native" --as bank-a
        age -d -i "$PEOPLE/bank-a.age" -o "$WORK/native.csv" "$WORK"/native/*.csv.age
        [ "$(head -1 "$WORK/native.csv")" = "$(head -1 "$WORK/lua.csv")" ]
        [ "$(cut -d, -f1,2 "$WORK/native.csv")" = "$(cut -d, -f1,2 "$WORK/lua.csv")" ]
        matches_expected "$WORK/native.csv"
}

@test "a bundle runs like its script, and a hostile one is refused with the entry named" {
        mkdir -p "$WORK/bundle"
        cp "$demo/default-rate.lua" "$WORK/bundle/main.lua"
        printf 'name: rates\nengine: lua\nentry: main.lua\ndatasets: [credit]\n' >"$WORK/bundle/algorithm.yaml"
        tar -C "$WORK/bundle" -czf "$WORK/rates.tgz" algorithm.yaml main.lua
        bundle=$(submit "$WORK/rates.tgz")
        [ "$bundle" = "sha256:$(sha256sum "$WORK/rates.tgz" | cut -d' ' -f1)" ]
        approve "$bundle"
        status_is 0 job "$bundle" home
        ln -s /etc/passwd "$WORK/bundle/link"
        tar -C "$WORK/bundle" -cf "$WORK/link.tar" link algorithm.yaml main.lua
        status_is 2 gbx algo submit "$WORK/link.tar" --as bank-a
        says "'link'"
        says "symbolic link"
        printf 'name: rates\nengine: lua\nentry: gone.lua\nfoo: 1\n' >"$WORK/bundle/algorithm.yaml"
        tar -C "$WORK/bundle" -cf "$WORK/bad.tar" algorithm.yaml main.lua
        status_is 2 gbx algo submit "$WORK/bad.tar" --as bank-a
        says "algorithm.yaml:4:1"
}

@test "copies differ between releases, and trace names recipient and run of each" {
        status_is 0 job "$LUA" home bank-b
        gbx job fetch "$(last_run)" --output "$WORK/b" --as bank-b
        age -d -i "$PEOPLE/bank-b.age" -o "$WORK/b.csv" "$WORK"/b/*.csv.age
        ! cmp -s "$WORK/b.csv" "$WORK/lua.csv" || false
        # An analyst sees runs of one's own; a reviewer all.
        [ "$(gbx job ls --as bank-b --json | jq -c '[.[].requester] | unique')" = '["bank-b"]' ]
        [ "$(gbx job ls --as wang --json | jq -c '[.[].requester] | unique')" = '["bank-a","bank-b"]' ]
        status_is 0 gbx job show "$(last_run)" --as bank-b
        status_is 1 gbx job show "$(last_run)" --as bank-a
        says "there is no run"
        # An owner sees the runs on the own data; another owner none of them.
        [ "$(gbx job ls --as fund --json | jq -c '[.[].requester] | unique')" = '["bank-a","bank-b"]' ]
        status_is 0 gbx job show "$(last_run)" --as fund
        ssh-keygen -q -t ed25519 -N '' -f "$WORK/other-fund"
        gbx user add other-fund --role owner --ssh-key "$WORK/other-fund.pub" --as admin
        [ "$(gbx job ls --as other-fund --json)" = '[]' ]
        status_is 1 gbx job show "$(last_run)" --as other-fund
        status_is 0 gbx trace "$WORK/b.csv" --as audit
        says "bank-b"
        says "$(last_run)"
        status_is 0 gbx trace "$WORK/lua.csv" --as audit
        says "bank-a"
        gbx trace "$WORK/lua.csv" --json --as audit | jq -e '[.results[] | select(.recipient == "bank-b")] | length == 0'
}

@test "trace names nobody for a table that was never released" {
        printf 'home,applicants,default_rate\nowner,10,0.5\nrent,20,0.25\n' >"$WORK/innocent.csv"
        status_is 0 gbx trace "$WORK/innocent.csv" --as audit
        [[ $output != *bank-* ]]
}

@test "reviewers can let held outputs go, with a reason, and never their own" {
        held=$(gbx job ls --json | jq -r 'map(select(.state == "held")) | first | .id')
        status_is 2 gbx review approve "$held" --key "$PEOPLE/wang"
        says "--reason"
        status_is 2 gbx review approve "$held" --as wang --reason "counts are of public groups" # without a signature
        status_is 3 gbx review approve "$held" --key "$PEOPLE/wang" --reason "counts are of public groups"
        says "there are new findings" # of comparisons with what was released since it was held
        status_is 0 gbx review show "$held" --as wang
        status_is 0 gbx review approve "$held" --key "$PEOPLE/wang" --reason "counts are of public groups"
        status_is 0 gbx job fetch "$held" --output "$WORK/approved" --as bank-a
        status_is 1 gbx review approve "$held" --key "$PEOPLE/li" --reason again
}

@test "held outputs can be refused, and then are gone" {
        status_is 4 job "$LUA" job,home
        held=$(last_run)
        status_is 0 gbx review reject "$held" --key "$PEOPLE/li" --reason "too fine"
        [ ! -e "$GBX_SITE/held/$held.age" ]
        status_is 1 gbx review approve "$held" --key "$PEOPLE/wang" --reason "no"
        [ "$(gbx job show "$held" --json | jq -r .state)" = rejected ]
}

@test "the log verifies, replays, and a run comes out the same again" {
        status_is 0 gbx audit verify --as audit
        status_is 0 gbx audit replay --as audit
        says "0 divergences"
        run_id=$(gbx job ls --json | jq -r 'map(select(.state == "released")) | first | .id')
        status_is 0 gbx audit replay --run "$run_id" --as audit
        says "byte for byte"
}

@test "a flipped byte in any file of the log is found: exit 5" {
        flipped=0
        while read -r file; do
                rm -rf "$WORK/copy"
                cp -a "$GBX_SITE" "$WORK/copy"
                size=$(stat -c %s "$WORK/copy/log/$file")
                offset=$((size / 2))
                byte=$(dd if="$WORK/copy/log/$file" bs=1 skip=$offset count=1 status=none | od -An -tu1 | tr -d ' ')
                # shellcheck disable=SC2059
                printf "\\$(printf %o $((byte ^ 1)))" | dd of="$WORK/copy/log/$file" bs=1 seek=$offset conv=notrunc status=none
                status_is 5 gbx audit verify --log "$WORK/copy/log" --vkey "$(gbx keys log)"
                flipped=$((flipped + 1))
        done < <(cd "$GBX_SITE/log" && find checkpoint tile -type f | sort | awk 'NR % 7 == 1' ; echo checkpoint)
        [ "$flipped" -gt 3 ]
        last=$(find "$GBX_SITE/log/tile/entries" -type f -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2-)
        rm -rf "$WORK/copy"
        cp -a "$GBX_SITE" "$WORK/copy"
        printf '\377' | dd of="$WORK/copy${last#"$GBX_SITE"}" bs=1 seek=700 conv=notrunc status=none
        status_is 5 gbx audit verify --site "$WORK/copy" --as audit
        says "entry"
}

@test "no plaintext of the dataset lies in the site or in temporary folders" {
        ! grep -raqE 'A0000[1-9]' "$GBX_SITE" || false
        ! grep -raqsE 'A0000[1-9],|"A0000[1-9]"' /dev/shm || false
}
