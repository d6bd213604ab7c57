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

@test "a policy that would mark numbers as categories is refused" {
        sed 's/name: branch, type: integer/name: branch, type: integer, mark: yes/' "$WORK/policy.yaml" >"$WORK/bad.yaml"
        status_is 2 gbx policy check "$WORK/bad.yaml"
        says "'mark' is for columns of type text"
}
