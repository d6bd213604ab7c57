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
        ! grep -q $'\u200b' "$WORK/plain.csv"
        sort -c -t, -k1,1n <(tail -n +2 "$WORK/plain.csv")
        status_is 0 gbx policy apply "$WORK/layout.yaml" --as admin
        approve "$notes"
        fetched bank-a
        fetched bank-b
        ! cmp "$WORK/bank-a.csv" "$WORK/bank-b.csv"
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

@test "a policy that would mark numbers as categories is refused" {
        sed 's/name: branch, type: integer/name: branch, type: integer, mark: yes/' "$WORK/policy.yaml" >"$WORK/bad.yaml"
        status_is 2 gbx policy check "$WORK/bad.yaml"
        says "'mark' is for columns of type text"
        sed 's/name: branch, type: integer/name: branch, type: integer, prose: yes/' "$WORK/policy.yaml" >"$WORK/bad.yaml"
        status_is 2 gbx policy check "$WORK/bad.yaml"
        says "'prose' is for columns of free text"
}
