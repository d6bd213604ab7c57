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

@test "manual pages, completion and the description for programs are installed; help names pages that are there" {
        export PATH=$WORK/root/usr/bin:/usr/bin:/bin
        for noun in $(gbx api --nouns); do [ -s "$WORK/root/usr/share/man/man1/gbx-$noun.1" ]; done
        [ -s "$WORK/root/usr/share/man/man1/gbx.1" ]
        bash -n "$WORK/root/usr/share/bash-completion/completions/gbx"
        head -1 "$WORK/root/usr/share/zsh/site-functions/_gbx" | grep -qx '#compdef gbx'
        jq -e '.openapi == "3.1.0"' "$WORK/root/usr/share/glovebox/openapi.json"
        [ -x "$WORK/root/usr/bin/gbx-lua" ]
        gbx --help | sed -nE 's/^  ([a-z]+( [a-z-]+)?) {2,}.*/\1/p' | while read -r command; do
                # shellcheck disable=SC2086
                gbx $command --help
        done | grep -oE '[^ (]*[a-z-]+\.md' | sort -u >"$WORK/pages"
        [ -s "$WORK/pages" ]
        while read -r page; do [ -s "$page" ] || { echo "help names $page, which is not there"; return 1; }; done <"$WORK/pages"
}

@test "uninstall removes what was installed, and nothing else" {
        make -s install DESTDIR="$WORK/gone" PREFIX=/usr >&2
        echo mine >"$WORK/gone/usr/share/glovebox/mine"
        make -s uninstall DESTDIR="$WORK/gone" PREFIX=/usr
        [ "$(find "$WORK/gone" -type f)" = "$WORK/gone/usr/share/glovebox/mine" ]
        status_is 2 make -s uninstall DESTDIR="$WORK/gone" PREFIX=/usr # nothing is installed there any more
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
