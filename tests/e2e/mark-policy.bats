# What a policy may ask of a mark beyond units: a banner, and categories that carry symbols; read by gbx trace.
load site.bash

setup_file() {
        export WORK=$(mktemp -d)
        make_site "$WORK" >&2
        # Four hundred groups of applicants, each with the home that most of them have: no number in it has a unit.
        cat >"$WORK/groups.lua" <<'LUA'
local homes, rows, n = { "owner", "rent", "priv", "parents", "other" }, {}, 0
for _ in data.each("credit", { "status" }) do
  n = n + 1
  if n % 11 == 0 then
    rows[#rows + 1] = { branch = n // 11, applicants = 11, home = homes[n * n % 7 % 5 + 1] }
  end
end
release.table { name = "groups", rows = rows, columns = {
  { name = "branch", type = "integer", role = "key" }, { name = "applicants", type = "integer", role = "count" },
  { name = "home", type = "text", role = "value" } } }
LUA
        export GROUPS_LUA=$(submit "$WORK/groups.lua")
        sed -e 's/watermark: required/watermark: required\n  banner: yes/' -e 's/outputs: .*/outputs: [groups]/' \
                -e 's/    - { name: home, type: text,/    - { name: branch, type: integer }\n    - { name: home, type: text, mark: yes,/' \
                "$demo/credit-scoring.yaml" >"$WORK/policy.yaml"
}

teardown_file() {
        rm -rf "$WORK"
}

fetched() { # RECIPIENT
        gbx job run --algo "$GROUPS_LUA" --data credit --purpose credit-scoring --param by=home --as "$1"
        gbx job fetch "$(gbx job ls --json | jq -r 'last | .id')" --output "$WORK/$1" --as "$1"
        age -d -i "$PEOPLE/$1.age" -o "$WORK/$1.csv" "$WORK/$1"/*.csv.age
}

@test "categories carry marks only where the policy says so" {
        sed -e 's/mark: yes, //' -e '/banner/d' "$WORK/policy.yaml" >"$WORK/exact.yaml"
        status_is 0 gbx policy apply "$WORK/exact.yaml" --as admin
        approve "$GROUPS_LUA"
        fetched bank-a
        mv "$WORK/bank-a.csv" "$WORK/exact.csv"
        rm -rf "$WORK/bank-a"
        [ "$(head -n 1 "$WORK/exact.csv")" = branch,home,applicants ]
        status_is 0 gbx policy apply "$WORK/policy.yaml" --as admin
        says_in_policy=$(gbx policy show credit-scoring)
        [[ $says_in_policy == *"whose copy it is"* && $says_in_policy == *"a mark may change it"* ]]
        approve "$GROUPS_LUA"
        fetched bank-a
        fetched bank-b
        changed=$(diff <(tail -n +2 "$WORK/exact.csv") <(tail -n +3 "$WORK/bank-a.csv") | grep -c '^>')
        [ "$changed" -gt 100 ] && [ "$changed" -lt 300 ]
        # Keys and counts are as they were.
        cmp <(cut -d, -f1,3 "$WORK/exact.csv") <(tail -n +2 "$WORK/bank-a.csv" | cut -d, -f1,3)
}

@test "the banner says whose copy it is, and without it the categories still do" {
        [[ $(head -n 1 "$WORK/bank-a.csv") == "# copy for bank-a, release-"* ]]
        [[ $(head -n 1 "$WORK/bank-b.csv") == "# copy for bank-b, release-"* ]]
        tail -n +2 "$WORK/bank-b.csv" >"$WORK/leaked.csv"
        status_is 0 gbx trace "$WORK/leaked.csv" --as audit
        says bank-b
        [[ $output != *bank-a* ]]
        # Sorted, half of it, other names of columns: the marks alone.
        (echo 'a;b;c'; tail -n +2 "$WORK/leaked.csv" | tr , ';' | sort | awk 'NR % 2') >"$WORK/part.csv"
        status_is 0 gbx trace "$WORK/part.csv" --as audit
        says bank-b
        [[ $output != *bank-a* ]]
        (echo branch,home,applicants; awk 'BEGIN { srand(1); split("owner rent priv parents other", h, " ")
                for (i = 1; i <= 404; i++) print i "," h[int(rand() * 5) + 1] ",11" }') >"$WORK/invented.csv"
        status_is 0 gbx trace "$WORK/invented.csv" --as audit
        [[ $output != *bank-* ]]
}

@test "the plot of a trace is XML, names the accused alone, and shows a threshold that divides them from the others" {
        status_is 0 gbx trace "$WORK/leaked.csv" --plot "$WORK/trace.svg" --json --as audit
        printf '%s\n' "$output" >"$WORK/trace.json"
        release=$(jq -r '.results[0] | select(.recipient == "bank-b") | .release' "$WORK/trace.json")
        python3 - "$WORK/trace.svg" "$(jq .threshold "$WORK/trace.json")" "$release" <<'END'
import re, sys, xml.etree.ElementTree as tree
SVG = "{http://www.w3.org/2000/svg}"
root = tree.parse(sys.argv[1]).getroot()
threshold, release = float(sys.argv[2]), sys.argv[3]
assert root.tag == SVG + "svg", root.tag
texts = ["".join(t.itertext()) for t in root.iter(SVG + "text")]
print(texts)
assert f"bank-b ({release})" in texts
assert not any("bank-a" in text for text in texts)
assert f"threshold {threshold:.2f}" in texts and threshold > 0
line, = (l for l in root.iter(SVG + "line") if l.get("stroke-dasharray"))
assert line.get("y1") == line.get("y2")
# Further up is a higher score: large dots are accused.
for dot in root.iter(SVG + "circle"):
        assert (float(dot.get("cy")) < float(line.get("y1"))) == (dot.get("r") == "6"), dot.attrib
assert [dot.get("r") for dot in root.iter(SVG + "circle")].count("6") == 1
END
        # Nobody accused: no name in it.
        status_is 0 gbx trace "$WORK/invented.csv" --plot "$WORK/nobody.svg" --as audit
        python3 -c 'import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])' "$WORK/nobody.svg"
        grep -q "Verdict: " "$WORK/nobody.svg"
        ! grep -q bank- "$WORK/nobody.svg" || false
        # A place that cannot be written is an error that names it.
        run gbx trace "$WORK/leaked.csv" --plot "$WORK/absent/trace.svg" --as audit
        [ "$status" -ne 0 ]
        says "$WORK/absent/trace.svg"
}

@test "order of rows and invisible characters: only where the policy says so, and told as extra evidence" {
        cat >"$WORK/notes.lua" <<'LUA'
local rows, n = {}, 0
for _ in data.each("credit", { "status" }) do
  n = n + 1
  if n % 11 == 0 then
    rows[#rows + 1] = { branch = n // 11, applicants = 11, remark = "branch " .. n // 11 .. " was looked at" }
  end
end
release.table { name = "groups", rows = rows, columns = {
  { name = "branch", type = "integer", role = "key" }, { name = "applicants", type = "integer", role = "count" },
  { name = "remark", type = "text", role = "value" } } }
LUA
        notes=$(submit "$WORK/notes.lua")
        sed -e '/banner/d' -e 's/    - { name: home, .*/    - { name: remark, type: text }/' "$WORK/policy.yaml" >"$WORK/plain.yaml"
        sed -e 's/watermark: required/watermark: required\n  row-order-mark: yes/' -e 's/name: remark, type: text/&, prose: yes/' \
                "$WORK/plain.yaml" >"$WORK/layout.yaml"
        GROUPS_LUA=$notes
        rm -rf "$WORK/bank-a" "$WORK/bank-b"
        status_is 0 gbx policy apply "$WORK/plain.yaml" --as admin
        approve "$notes"
        fetched bank-a
        mv "$WORK/bank-a.csv" "$WORK/plain.csv"
        rm -rf "$WORK/bank-a"
        ! grep -q $'\u200b' "$WORK/plain.csv" || false
        sort -c -t, -k1,1n <(tail -n +2 "$WORK/plain.csv")
        status_is 0 gbx policy apply "$WORK/layout.yaml" --as admin
        approve "$notes"
        fetched bank-a
        fetched bank-b
        ! cmp "$WORK/bank-a.csv" "$WORK/bank-b.csv" || false
        # Invisible characters apart, the same rows; about half of the cells have one, about half of the pairs are swapped.
        cmp <(sort "$WORK/plain.csv") <(sed $'s/\u200b//g' "$WORK/bank-a.csv" | sort)
        marked=$(grep -c $'\u200b' "$WORK/bank-a.csv")
        swapped=$(diff <(cut -d, -f1 "$WORK/plain.csv") <(cut -d, -f1 "$WORK/bank-a.csv") | grep -c '^>')
        echo "$marked marked, $swapped swapped"
        [ "$marked" -gt 120 ] && [ "$marked" -lt 280 ]
        [ "$swapped" -gt 50 ] && [ "$swapped" -lt 150 ]
        # No number carries a mark: the copy is recognised, and its layout told beside that.
        status_is 0 gbx trace "$WORK/bank-a.csv" --as audit
        says "(extra evidence, not counted): 202 of 202 pairs of rows, 404 of 404 cells of prose"
        says content-match
        [[ $output != *traced* ]]
        # Sorted and without the characters the content is what it was, and the layout says nothing.
        (head -n 1 "$WORK/plain.csv"; tail -n +2 "$WORK/bank-a.csv" | sed $'s/\u200b//g' | sort -t, -k1,1n) >"$WORK/sorted.csv"
        status_is 0 gbx trace "$WORK/sorted.csv" --as audit
        says content-match
        [[ $output != *"404 of 404"* && $output != *"202 of 202"* ]]
}

@test "a number of the owner's moves no farther than the owner tolerates" {
        cat >"$WORK/sums.lua" <<'LUA'
local rows, n, income, assets = {}, 0, 0, 0
for _, one, other in data.each("credit", { "income", "assets" }) do
  n, income, assets = n + 1, income + (one or 0), assets + (other or 0)
  if n % 11 == 0 then
    rows[#rows + 1] = { branch = n // 11, applicants = 11, income = math.floor(income), assets = math.floor(assets) }
    income, assets = 0, 0
  end
end
release.table { name = "groups", rows = rows, columns = {
  { name = "branch", type = "integer", role = "key" }, { name = "applicants", type = "integer", role = "count" },
  { name = "income", type = "integer", role = "value", unit = "10" },
  { name = "assets", type = "integer", role = "value", unit = "10" } } }
LUA
        GROUPS_LUA=$(submit "$WORK/sums.lua")
        grep -q 'name: income, .*tolerance: 1 }' "$demo/credit.schema.yaml"
        grep -q 'name: assets, .*tolerance: 10 }' "$demo/credit.schema.yaml"
        sed -e '/banner/d' -e 's/    - { name: home, .*/    - { name: income, type: integer }\n    - { name: assets, type: integer }/' \
                "$WORK/policy.yaml" >"$WORK/sums.yaml"
        status_is 0 gbx policy apply "$WORK/sums.yaml" --as admin
        approve "$GROUPS_LUA"
        rm -rf "$WORK/bank-a" "$WORK/bank-b"
        fetched bank-a
        fetched bank-b
        [ "$(head -n 1 "$WORK/bank-a.csv")" = branch,income,assets,applicants ] # as the columns below count
        cmp <(cut -d, -f2 "$WORK/bank-a.csv") <(cut -d, -f2 "$WORK/bank-b.csv")
        moved=$(diff <(cut -d, -f3 "$WORK/bank-a.csv") <(cut -d, -f3 "$WORK/bank-b.csv") | grep -c '^>')
        echo "$moved of 404 assets differ"
        [ "$moved" -gt 50 ]
}

# A policy for `shares`, its columns edited; fetches what it releases to RECIPIENT as NAME.csv.
share_columns='
    - { name: branch, type: integer }
    - { name: house, type: integer, exact: yes }
    - { name: rate, type: decimal, unit: 0.001, maximum: 1, weight: 10 }
    - { name: income, type: integer, unit: 1, per: house, weight: 4 }
    - { name: amount, type: integer, unit: 1, keep-total: yes, weight: 4 }
    - { name: own, type: integer, unit: 1, sum-group: money, weight: 2 }
    - { name: loan, type: integer, unit: 1, sum-group: money, weight: 2 }
    - { name: applicants, type: integer }'

release_shares() { # NAME RECIPIENT SED-EXPRESSION
        (sed -e '/banner/d' -e '/^  columns:/,$d' -e 's/max-rows: .*/max-rows: 5000/' -e 's/max-size: .*/max-size: 1M/' \
                -e 's/watermark: required/&\n  coalition: 2/' "$WORK/policy.yaml"
        echo "  columns:"
        sed -e 1d -e "$3" <<<"$share_columns") >"$WORK/$1.yaml"
        status_is 0 gbx policy apply "$WORK/$1.yaml" --as admin
        approve "$GROUPS_LUA"
        rm -rf "$WORK/$2"
        # A share of exactly 1 waits for a reviewer.
        status_is 4 gbx job run --algo "$GROUPS_LUA" --data credit --purpose credit-scoring --param by=home --as "$2"
        held=$(gbx job ls --json | jq -r 'last | .id')
        gbx review approve "$held" --key "$PEOPLE/wang" --reason "generated rows"
        gbx job fetch "$held" --output "$WORK/$2" --as "$2"
        age -d -i "$PEOPLE/$2.age" -o "$WORK/$1.csv" "$WORK/$2"/*.csv.age
}

moved() { # COLUMN NAME: how many of its cells are not those of the exact copy
        paste -d, "$WORK/exact.csv" "$WORK/$2.csv" | awk -F, -v c="$1" '$c != $(c + 8) { n++ } END { print n + 0 }'
}

@test "declared limits, totals, sums and households hold in what is delivered, while the cells around them are marked" {
        cat >"$WORK/shares.lua" <<'LUA'
local rows, n = {}, 0
for _ in data.each("credit", { "status" }) do
  n = n + 1
  local house = (n + 1) // 2
  rows[n] = { branch = n, applicants = 11, house = house, rate = 1 - n % 230 / 1000, income = 5000 + house * 7919 % 20011,
              amount = 1000 + n * 7907 % 9973, own = 2000 + n * 6997 % 8009, loan = 3000 + n * 5003 % 7001 }
end
release.table { name = "groups", rows = rows, columns = {
  { name = "branch", type = "integer", role = "key" }, { name = "applicants", type = "integer", role = "count" },
  { name = "house", type = "integer", role = "value" }, { name = "rate", type = "decimal", role = "value", unit = "0.001" },
  { name = "income", type = "integer", role = "value", unit = "1" }, { name = "amount", type = "integer", role = "value", unit = "1" },
  { name = "own", type = "integer", role = "value", unit = "1" }, { name = "loan", type = "integer", role = "value", unit = "1" } } }
LUA
        GROUPS_LUA=$(submit "$WORK/shares.lua")
        above='$3 > 1 { n++ } END { print n + 0 }'
        # `exact` keeps what the job wrote, although the columns have units.
        release_shares exact bank-a 's/unit: [0-9.]*.*/exact: yes }/'
        [ "$(head -n 1 "$WORK/exact.csv")" = branch,house,rate,income,amount,own,loan,applicants ]
        [ "$(grep -c ',1\.000,' "$WORK/exact.csv")" -eq 19 ]
        release_shares kept bank-a ''
        says_in_policy=$(gbx policy show credit-scoring)
        [[ $says_in_policy == *"rate, decimal in units of 0.001 (marks stay at or below 1) (weight 10 of the marks)"* ]]
        [[ $says_in_policy == *"up to 2 recipients who pool their copies"* ]]
        for column in 3 4 5 6 7; do
                echo "column $column: $(moved $column kept) moved"
                [ "$(moved $column kept)" -gt 20 ]
        done
        for column in 1 2 8; do [ "$(moved $column kept)" -eq 0 ]; done
        [ "$(tail -n +2 "$WORK/kept.csv" | awk -F, "$above")" -eq 0 ]
        total='{ n += $5 } END { print n }' sums='{ print $6 + $7 }'
        [ "$(awk -F, "$total" "$WORK/kept.csv")" = "$(awk -F, "$total" "$WORK/exact.csv")" ]
        cmp <(awk -F, "$sums" "$WORK/kept.csv") <(awk -F, "$sums" "$WORK/exact.csv")
        [ "$(tail -n +2 "$WORK/kept.csv" | awk -F, '$2 in income && income[$2] != $4 { n++ } { income[$2] = $4 } END { print n + 0 }')" -eq 0 ]
        # The manifest says which code it is: for two who pool, where the table carries marks enough for three (1,243).
        jq -r .payload "$WORK/bank-a/provenance.intoto.json" | base64 -d | jq -c '.predicate.marks["groups.csv"]' >"$WORK/mark.json"
        cat "$WORK/mark.json"
        jq -e '.code == "tardos" and .coalition == 2 and .capacity_cells > 1300' "$WORK/mark.json"
        # Without these words nothing of it holds.
        release_shares free bank-b 's/maximum: 1, //; s/per: house, //; s/keep-total: yes, //; s/sum-group: money, //'
        [ "$(tail -n +2 "$WORK/free.csv" | awk -F, "$above")" -gt 0 ]
        [ "$(awk -F, "$sums" "$WORK/free.csv" | cksum)" != "$(awk -F, "$sums" "$WORK/exact.csv" | cksum)" ]
        [ "$(tail -n +2 "$WORK/free.csv" | awk -F, '$2 in income && income[$2] != $4 { n++ } { income[$2] = $4 } END { print n + 0 }')" -gt 0 ]
}

@test "a policy that would mark numbers as categories is refused" {
        sed 's/name: branch, type: integer/name: branch, type: integer, mark: yes/' "$WORK/policy.yaml" >"$WORK/bad.yaml"
        status_is 2 gbx policy check "$WORK/bad.yaml"
        says "'mark' is for columns of type text"
        sed 's/name: branch, type: integer/name: branch, type: integer, prose: yes/' "$WORK/policy.yaml" >"$WORK/bad.yaml"
        status_is 2 gbx policy check "$WORK/bad.yaml"
        says "'prose' is for columns of free text"
}
