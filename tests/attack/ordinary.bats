# An ordinary user on pure cgroup v2, in a cgroup that was delegated to him (cgroups(7), "Delegation"): he is
# refused by the name of what he lacks, and with everything his runs are confined and limited like root's.
# On hosts with version 1 tests/e2e/sandbox.bats has the same.

setup() {
        load lib/common
        home=/home/analyst
        group=/sys/fs/cgroup/analyst
}

as_analyst() {
        su -s /bin/bash analyst -c "exec $(printf '%q ' "$@")"
}

sandbox_run() { # LIMITS PROGRAM [ARGUMENT]
        printf '{"version":1,"name":"analyst","image":{"directory":"%s/image"},"argv":["/job/%s"%s],"profile":"native",
                "limits":%s,"mounts":[{"target":"/tmp","tmpfs":{"bytes":1048576,"inodes":64}}],
                "options":{"cgroup":"/analyst"}}' "$home" "$2" "${3:+,\"$3\"}" "$1" >"$home/spec"
        (
                echo "$BASHPID" >"$group/session/cgroup.procs" # as a session manager does: he starts in his own
                as_analyst "$home/gbx-sandbox" run "$home/spec" --result-fd 3 3>"$home/result"
        )
}

@test "an ordinary user is refused by name, then confined and limited in his delegated cgroup" {
        only_in_vm "version 2 with delegation"
        mkdir -p "$home"/image/{dev,job,proc,sys,tmp}
        cp "$GBX_SANDBOX" "$home/gbx-sandbox"
        cp "$ATTACKS"/e13_bombs "$ATTACKS"/e04_namespaces "$home/image/job/"
        chmod 755 "$home" "$home"/image "$home"/image/*
        : >"$home/spec" && : >"$home/result"

        # Nothing delegated, no range of ids.
        mkdir -p "$group/session"
        chown 1000:1000 "$group" "$group"/cgroup.procs "$group"/cgroup.subtree_control "$group"/cgroup.threads \
                "$group/session" "$group"/session/cgroup.procs
        limits='{"wall_ms":60000,"memory_bytes":33554432,"pids":16}'
        rm -f /etc/subuid /etc/subgid
        run sandbox_run "$limits" e04_namespaces
        echo "$output"
        [ "$status" -eq 1 ]
        [[ $output == *'user namespace: '* ]]
        echo 'analyst:100000:65536' | tee /etc/subuid >/etc/subgid

        # A cgroup that is not his.
        chown 0:0 "$group" "$group"/cgroup.procs
        run sandbox_run "$limits" e04_namespaces
        echo "$output"
        [ "$status" -eq 1 ]
        [[ $output == *'cgroup: '* ]]
        chown 1000:1000 "$group" "$group"/cgroup.procs

        run sandbox_run "$limits" e04_namespaces
        echo "$output"
        cat "$home/result"
        [ "$status" -eq 0 ]
        grep -q '"outcome":"exited","exit_code":0' "$home/result"
        [[ $output != *reached* ]]
        grep -q '"cgroup":"v2"' "$home/result"
        run sandbox_run '{"wall_ms":60000,"memory_bytes":16777216,"pids":16}' e13_bombs memory
        cat "$home/result"
        grep -q '"outcome":"limit".*"limit":"memory"' "$home/result"
        run sandbox_run "$limits" e13_bombs fork
        cat "$home/result"
        grep -q '"outcome":"limit".*"limit":"pids"' "$home/result"
        # Nothing is left: no cgroup below his, no process of his ids.
        [ -z "$(find "$group" -mindepth 2 -name 'gbx-*')" ]
        run as_analyst "$home/gbx-sandbox" gc
        [ "$status" -eq 0 ]
        [ -z "$output" ]
        # And what a launcher killed together with its guard would leave is found where he says that his runs are.
        as_analyst mkdir "$group/glovebox-1000/gbx-left-1"
        run as_analyst "$home/gbx-sandbox" gc
        [ -z "$output" ]
        run as_analyst "$home/gbx-sandbox" gc --cgroup /analyst
        echo "$output"
        [ "$status" -eq 0 ]
        [ "$output" = "removed $group/glovebox-1000/gbx-left-1" ]
        [ ! -e "$group/glovebox-1000/gbx-left-1" ]
}
