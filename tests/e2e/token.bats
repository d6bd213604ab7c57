#!/usr/bin/env bats
# A site identity in a PKCS#11 token (SoftHSM 2): the secret never leaves it, and age's files open all the same.

setup() {
        module=/usr/lib/softhsm/libsofthsm2.so
        [ -e "$module" ] || skip "softhsm2 is not installed"
        tool="${BUILD:-build}/tests/vault-age"
        work=$(mktemp -d)
        chmod 700 "$work"
        mkdir "$work/tokens" "$work/keys"
        chmod 700 "$work/keys"
        printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$work/tokens" >"$work/softhsm.conf"
        export SOFTHSM2_CONF=$work/softhsm.conf
        softhsm2-util --init-token --free --label glovebox --so-pin 87654321 --pin 12345678 >/dev/null
        (umask 077 && echo 12345678 >"$work/pin")
        uri="pkcs11:token=glovebox;object=site?module-path=$module&pin-source=$work/pin"
}

teardown() {
        [ -z "${work:-}" ] || rm -rf "$work"
}

@test "a file that age made for the token's key opens, streamed and on threads" {
        recipient=$("$tool" keygen-token "$work/keys" site.key "$uri")
        [[ "$recipient" == age1* ]]
        ! grep -q AGE-SECRET-KEY "$work/keys/site.key" || false
        [ "$(stat -c %a "$work/keys/site.key")" = 600 ]
        head -c 300000 /dev/urandom >"$work/plain"
        for round in $(seq 10); do # shares of many first bytes
                age -r "$recipient" -o "$work/sealed" "$work/plain"
                "$tool" decrypt "$work/keys" site.key "$work/sealed" - | cmp - "$work/plain"
        done
        "$tool" decrypt-file 2 "$work/keys" site.key "$work/sealed" "$work/out"
        cmp "$work/out" "$work/plain"
}

@test "the same key is found again, and another is another" {
        first=$("$tool" keygen-token "$work/keys" site.key "$uri")
        second=$("$tool" keygen-token "$work/keys" again.key "$uri")
        third=$("$tool" keygen-token "$work/keys" other.key "${uri/object=site/object=other}")
        [ "$first" = "$second" ]
        [ "$first" != "$third" ]
        echo x | age -r "$first" >"$work/sealed"
        run "$tool" decrypt "$work/keys" other.key "$work/sealed" -
        [ "$status" -eq 1 ]
        [[ "$output" == *"not encrypted to any of our 1 keys"* ]]
}

refused() { # WORDS URI
        run "$tool" keygen-token "$work/keys" refused.key "$2"
        echo "$output"
        [ "$status" -eq 1 ]
        [[ "$output" == *"$1"* ]]
        [ ! -e "$work/keys/refused.key" ]
}

@test "wrong PIN, loose PIN file, PIN in the URI, missing token, module or parts are refused" {
        chmod 644 "$work/pin"
        refused "must be a regular file that only its owner" "$uri"
        chmod 600 "$work/pin"
        refused "has a PIN in it" "$uri&pin-value=12345678"
        refused "no such token" "${uri/token=glovebox/token=nobody}"
        refused "names no token" "${uri/token=glovebox;/}"
        refused "names no object" "${uri/;object=site/}"
        refused "no module-path" "${uri/module-path/x-path}"
        refused "cannot load" "${uri/libsofthsm2/libnothing}"
        refused "no pin-source" "${uri%&pin-source*}"
        refused "not a PKCS#11 URI" "https://example.org"
        echo 0000 >"$work/pin"
        refused "cannot log in" "$uri"
}

@test "a site whose key is in a token takes datasets in" {
        gbx="${BUILD:-build}/gbx"
        site=$work/site
        export GBX_SITE=$site
        echo 0000 >"$work/pin"
        run "$gbx" init --token "$uri"
        [ "$status" -ne 0 ]
        echo 12345678 >"$work/pin"
        "$gbx" init --token "$uri"
        ! grep -rq AGE-SECRET-KEY "$site/keys/site.key" || false
        ssh-keygen -q -t ed25519 -N "" -f "$work/fund"
        "$gbx" user add fund --role owner --ssh-key "$work/fund.pub"
        age -r "$("$gbx" keys recipient)" -o "$work/credit.age" tests/fixtures/credit.csv
        "$gbx" data add credit --owner fund --schema scripts/demo/credit.schema.yaml --key "$work/fund" "$work/credit.age"
        "$gbx" data ls | grep -q credit
        "$gbx" audit verify
        rm -r "$work/tokens" # the token is gone: what is at rest has a key of its own, new data cannot come in
        run "$gbx" data add credit --owner fund --schema scripts/demo/credit.schema.yaml --key "$work/fund" "$work/credit.age"
        [ "$status" -ne 0 ]
}
