# What anybody can read of a site, for tests that look for what should not be there.

# A proof's entry in clear text.
proven() { # ENTRY
        gbx audit prove "$1" --out - --as audit | sed -n 's/^extra //p' | base64 -d
}

# All that anybody can read of the site's log, run and entries: into $WORK/seen.
see() { # RUN
        gbx audit ls --json --as audit
        gbx audit ls --as audit
        gbx audit export --as audit
        gbx audit export --format csv --as audit
        gbx audit export --format openlineage --as audit
        gbx job ls --json --as bank-a
        gbx job ls --as audit
        gbx job show "$1" --json --as bank-a
        gbx job show "$1" --as audit
        local entry
        for entry in $(gbx audit ls --json --object "$1" --as audit | jq -r '.[].index'); do
                proven "$entry" || return 1
        done
}
