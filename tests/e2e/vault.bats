#!/usr/bin/env bats
# The vault and the age program open each other's files.

setup() {
        tool="${BUILD:-build}/tests/vault-age"
        work=$(mktemp -d)
        chmod 700 "$work"
        recipient=$("$tool" keygen "$work" ours.key)
        age-keygen -o "$work/theirs.key" 2>/dev/null
        theirs=$(age-keygen -y "$work/theirs.key")
}

teardown() {
        rm -rf "$work"
}

sizes="0 1 65535 65536 65537 131072 5000000"

@test "our key file is one that age reads, with the same recipient" {
        [ "$(age-keygen -y "$work/ours.key")" = "$recipient" ]
        [ "$(stat -c %a "$work/ours.key")" = 600 ]
}

@test "age decrypts what the vault encrypts, streamed or on threads" {
        for size in $sizes; do
                head -c "$size" /dev/urandom >"$work/plain"
                "$tool" encrypt "$work/plain" "$work/a.age" "$theirs"
                "$tool" encrypt-file 2 "$work/plain" "$work/b.age" "$theirs" "$recipient"
                age -d -i "$work/theirs.key" "$work/a.age" | cmp - "$work/plain"
                age -d -i "$work/theirs.key" "$work/b.age" | cmp - "$work/plain"
                age -d -i "$work/ours.key" "$work/b.age" | cmp - "$work/plain"
        done
}

@test "the vault decrypts what age encrypts: two recipients, from a pipe, on threads, armored" {
        for size in $sizes; do
                head -c "$size" /dev/urandom >"$work/plain"
                age -r "$theirs" -r "$recipient" -o "$work/two.age" "$work/plain"
                "$tool" decrypt "$work" ours.key - - <"$work/two.age" | cmp - "$work/plain"
                "$tool" decrypt-file 2 "$work" ours.key "$work/two.age" "$work/out"
                cmp "$work/out" "$work/plain"
                age -a -r "$recipient" -o "$work/armored.age" "$work/plain"
                grep -q '^-----BEGIN AGE ENCRYPTED FILE-----$' "$work/armored.age"
                "$tool" decrypt "$work" ours.key "$work/armored.age" - | cmp - "$work/plain"
        done
}

@test "a file for somebody else, a cut one and a passphrase one are refused" {
        head -c 200000 /dev/urandom >"$work/plain"
        age -r "$theirs" -o "$work/other.age" "$work/plain"
        run "$tool" decrypt "$work" ours.key "$work/other.age" "$work/out"
        [ "$status" -eq 1 ]
        [[ "$output" == *"not encrypted to any of our 1 keys"* ]]
        age -r "$recipient" "$work/plain" | head -c 150000 >"$work/cut.age"
        run "$tool" decrypt "$work" ours.key "$work/cut.age" "$work/out"
        [ "$status" -eq 1 ]
        [[ "$output" == *"chunk 3"* ]]
        [ "$(stat -c %s "$work/out")" -eq 131072 ]
        LC_ALL=C sed '1,/^$/d' tests/fixtures/age/scrypt >"$work/passphrase.age"
        run "$tool" decrypt "$work" ours.key "$work/passphrase.age" "$work/out2"
        [ "$status" -eq 1 ]
        [[ "$output" == *"encrypted with a passphrase"* ]]
        run "$tool" decrypt-file 2 "$work" ours.key "$work/cut.age" "$work/out"
        [ "$status" -eq 1 ]
        [ "$(stat -c %s "$work/out")" -eq 0 ]
}

@test "a rewrapped file opens with the new key alone, in age too" {
        head -c 1000000 /dev/urandom >"$work/plain"
        age -a -r "$recipient" -o "$work/original.age" "$work/plain"
        "$tool" rewrap "$work" ours.key "$work/original.age" "$work/at-rest.age" "$theirs"
        age -d -i "$work/theirs.key" "$work/at-rest.age" | cmp - "$work/plain"
        run age -d -i "$work/ours.key" "$work/at-rest.age"
        [ "$status" -ne 0 ]
        run "$tool" decrypt "$work" ours.key "$work/at-rest.age" "$work/out"
        [ "$status" -eq 1 ]
}

@test "E12 gbx itself leaves no core file" {
        case $(cat /proc/sys/kernel/core_pattern) in /* | \|*) skip "core files of this host go elsewhere" ;; esac
        gbx=$(realpath "${BUILD:-build}/gbx")
        cd "$BATS_TEST_TMPDIR"
        "$gbx" init --site site
        ssh-keygen -q -t ed25519 -N '' -f key
        exec 4<site/lock && flock 4 # whoever writes waits, its keys in memory
        for program in "cat /dev/zero" "$gbx user add admin --role admin --ssh-key key.pub --site site"; do # the first is the control
                (ulimit -c unlimited && exec $program >/dev/null) 3>&- 4>&- &
                pid=$!
                sleep 0.5
                kill -ABRT "$pid"
                wait "$pid" && false || [ $? -eq 134 ]
                if [[ $program == cat* ]]; then
                        ls core*
                        rm core*
                else
                        [ -z "$(ls core* 2>/dev/null)" ]
                fi
        done
}
