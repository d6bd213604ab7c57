# What a policy says of the sandbox itself, shown by what jobs meet there and by what the log keeps.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        export LUA=$(submit "$demo/default-rate.lua") NATIVE=$(submit "$build/demo/scorecard" --engine native)
        # Reads the time stamp counter as soon as it starts, and releases nothing.
        echo 'int main(void) { (void)__builtin_ia32_rdtsc(); return 7; }' >"$WORK/counter.c"
        gcc -O1 -static -o "$WORK/counter" "$WORK/counter.c"
        echo 'local n = 0 for i = 1, 20000000 do n = n + i % 7 end' >"$WORK/busy.lua"
        export BUSY=$(submit "$WORK/busy.lua")
        export COUNTER=$(submit "$WORK/counter" --engine native)
}

teardown_file() {
        rm -rf "$WORK"
}

policy() { # SED-EXPRESSION
        sed -e "$1" "$demo/credit-scoring.yaml" >"$WORK/policy.yaml"
        gbx policy apply "$WORK/policy.yaml" --as admin
        local algorithm
        for algorithm in "$LUA" "$NATIVE" "$COUNTER" "$BUSY"; do approve "$algorithm"; done
}

job() { # ALGORITHM
        gbx job run --algo "$1" --data credit --purpose credit-scoring --param by=home --as bank-a
}

newest() { # ACTION: details of its newest entry
        gbx audit ls --action "$1" --json | jq -c 'max_by(.index // .seq) | .details'
}

@test "without a word about it neither option is on, and no processor is capped" {
        policy ''
        status_is 0 job "$LUA"
        newest run.end | jq -e '.layers.coarse_timers == false and .layers.core_scheduling == false'
        newest run.start | jq -e '.limits | has("cpu_percent") | not'
        [[ $(gbx policy show credit-scoring) != *"sandbox  "* ]]
        status_is 1 job "$COUNTER"
        newest run.end | jq -e '.exit == 7'
}

@test "coarse-timers: who reads the counter dies of it, jobs without a clock do not notice" {
        policy 's/^release:/sandbox:\n  coarse-timers: yes\n\n&/'
        [[ $(gbx policy show credit-scoring) == *"the time stamp counter cannot be read"* ]]
        status_is 1 job "$COUNTER"
        newest run.end
        newest run.end | jq -e '.layers.coarse_timers == true and .exit != 7'
        status_is 0 job "$NATIVE"
        status_is 0 job "$LUA"
        newest run.end | jq -e '.layers.coarse_timers == true and .exit == 0'
}

@test "core-scheduling: on, or refused where the kernel has none" {
        policy 's/^release:/sandbox:\n  core-scheduling: yes\n\n&/'
        run job "$LUA"
        echo "$output"
        if [ "$status" -eq 0 ]; then
                newest run.end | jq -e '.layers.core_scheduling == true'
        else
                newest run.end
                gbx audit ls --action run.end --json | jq -e 'max_by(.index // .seq) | tostring | contains("options.core_scheduling: ")'
        fi
}

@test "cpu-percent slows a job, and more than the host has is refused when it starts" {
        policy 's/cpu-time: 30s/&\n  cpu-percent: 10/'
        [[ $(gbx policy show credit-scoring) == *"10% of a processor"* ]]
        run job "$BUSY"
        newest run.end | jq -c '[.wall_ms, .cpu_ms]'
        newest run.end | jq -e '.exit == 0 and .cpu_ms > 50 and .wall_ms > 4 * .cpu_ms'
        newest run.start | jq -e '.limits.cpu_percent == 10'
        policy "s/cpu-time: 30s/&\n  cpu-percent: $(($(nproc --all) * 100 + 1))/"
        run job "$LUA"
        echo "$output"
        [ "$status" -eq 2 ]
        says "limits.cpu_percent: "
}

# What the option does is shown in tests/attack/plaintext.bats; core_pattern is the whole machine's.
@test "the job's sandbox and the gate's are both told to do without core dumps to a program" {
        policy ''
        mkdir "$WORK/bin"
        ln -s "$build"/* "$WORK/bin/"
        rm "$WORK/bin/gbx" "$WORK/bin/gbx-sandbox"
        cp "$build/gbx" "$WORK/bin/"
        printf '#!/bin/sh\ncat "$2" >>"%s/specs"\nexec "%s/gbx-sandbox" "$@"\n' "$WORK" "$build" >"$WORK/bin/gbx-sandbox"
        chmod +x "$WORK/bin/gbx-sandbox"
        status_is 0 env PATH="$WORK/bin:$PATH" gbx job run --algo "$LUA" --data credit --purpose credit-scoring --param by=home --as bank-a
        jq -c '[.profile, .options]' "$WORK/specs"
        jq -se 'map(.profile) == ["lua", "gate"] and all(.options.core_pattern_pipe == "suppress")' "$WORK/specs"
}
