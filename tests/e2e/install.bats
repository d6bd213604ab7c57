# An installed Glovebox works without its source tree.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make -s install DESTDIR="$WORK/root" PREFIX=/usr >&2
}

teardown_file() {
        rm -rf "$WORK"
}

@test "what is installed are programs, images, rules, profiles and manuals" {
        for file in bin/gbx bin/gbx-sandbox bin/gbx-witness libexec/glovebox/gbx-gate libexec/glovebox/gbx-parse libexec/glovebox/gbx-sandbox \
                share/glovebox/images/lua.digest share/glovebox/content-scan.yaml share/doc/glovebox/README.md; do
                [ -s "$WORK/root/usr/$file" ] || { echo "missing: $file"; return 1; }
        done
        ! find "$WORK/root" -perm /022 -type f | grep . || false
}

@test "the installed gbx carries a job through, from another folder" {
        cd "$WORK"
        export PATH=$WORK/root/usr/bin:/usr/bin:/bin
        make_site "$WORK/s"
        digest=$(submit "$demo/default-rate.lua")
        approve "$digest"
        status_is 0 gbx job run --algo "$digest" --data credit --purpose credit-scoring --param by=home --as bank-a
        status_is 0 gbx audit replay --as audit
        [ "$(command -v gbx)" = "$WORK/root/usr/bin/gbx" ]
}
