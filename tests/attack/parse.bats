# E16: a reader of hostile bytes that was broken into can do nothing, and its caller says so and goes on.
# build/tests/gbx-parse has verbs that behave as if they had been taken over; the program that is installed has not.

setup() {
        build=${BUILD:-build}
        run="$build/tests/parse-run"
        work=$BATS_TEST_TMPDIR
        echo x >"$work/x"
        cd "$BATS_TEST_DIRNAME/../.."
}

# The verb ends with this status and these words alone, on one line.
ends() { # STATUS WORDS VERB FILE
        local status=0
        "$run" "$3" "$4" >"$work/out" 2>"$work/err" || status=$?
        cat "$work/out" "$work/err"
        [ "$status" -eq "$1" ]
        [ ! -s "$work/out" ]
        [ "$(wc -l <"$work/err")" -eq 1 ]
        grep -qF "$2" "$work/err"
}

@test "E16 a reader that crashes, loops, eats memory or floods is an error of its input" {
        ends 2 "refused: its reader died (Segmentation fault)" test-crash "$work/x"
        ends 6 "refused: it takes more computing than is allowed" test-loop "$work/x"
        ends 6 "refused: it takes more memory than is allowed to read" test-eat "$work/x"
        ends 6 "refused: it has more than the 4096 bytes allowed" test-flood "$work/x"
}

@test "E16 a reader that was taken over reaches nothing: files, sockets, programs, processes, its caller" {
        # openat, write to another descriptor, executable mmap, socket, clone, execve, kill, ptrace, read, bpf
        for call in 1 9 41 56 59 62 101 0 321; do
                echo "$call" >"$work/call"
                ends 2 "refused: its reader was killed for a system call that no reading needs" test-call "$work/call"
        done
        echo 257 >"$work/call"
        ends 2 "refused: call 257 returned ENOENT" test-call "$work/call"
}

@test "E16 a reader that lies is not believed, and does not speak to the terminal" {
        printf '' >"$work/say"
        ends 1 "refused: its reader ended without a word" test-say "$work/say"
        printf '\377\377\377\177\002x' >"$work/say"
        ends 1 "refused: its reader was cut short" test-say "$work/say"
        printf '\000\000\000\000\000\000' >"$work/say"
        ends 1 "refused: its reader went on behind its end" test-say "$work/say"
        printf '\012\000\000\000\001\000\033]0;x\007\nok' >"$work/say"
        ends 2 'refused: \x1b]0;x\x07\x0aok' test-say "$work/say"
}

@test "E16 a reader ends with its caller, whatever it does" {
        local child=
        "$run" test-spin "$work/x" 60 & pid=$!
        for _ in $(seq 200); do child=$(pgrep -P "$pid" || true); [ -z "$child" ] || break; sleep 0.05; done
        [ -n "$child" ]
        for _ in $(seq 200); do ! grep -q '^Seccomp:.*2' "/proc/$child/status" || break; sleep 0.05; done
        grep -q '^Seccomp:.*2' "/proc/$child/status" # it is locked in, and spins
        kill -9 "$pid"
        for _ in $(seq 200); do [ -e "/proc/$child" ] || break; sleep 0.05; done
        [ ! -e "/proc/$child" ]
}

@test "E16 the installed reader has none of these verbs, no key, no environment and no other descriptor" {
        for verb in test-crash test-loop test-eat test-flood test-say test-call; do
                "$build/gbx-parse" "$verb" <"$work/x" | grep -aq "no such verb"
                ! grep -aq "$verb" "$build/gbx-parse" || { echo "has $verb"; return 1; }
        done
        command -v strace || skip "no strace"
        python3 -c 'import tarfile; t = tarfile.open("'"$work"'/x.tar", "w"); t.add("Makefile"); t.close()'
        strace -f -v -s 200 -e trace=execve,openat,memfd_create -o "$work/trace" "$build/tests/bundle-check" "$work/x.tar" || true
        grep -E 'execve\("[^"]*gbx-parse", \["gbx-parse", "archive"\], \[\]' "$work/trace"
}

@test "E16 nothing but gbx-parse has a reader of archives or scripts in it" {
        ldd "$build/gbx" >"$work/libraries"
        ! grep -E 'libarchive|liblua' "$work/libraries" || false
        ! nm -D --defined-only "$build/gbx" | grep archive_read || false
        ! grep -al "archive_read_next_header" "$build/gbx" "$build/gbx-egress" "$build/gbx-gate" || false
}
