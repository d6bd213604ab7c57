# gbx-tabulator: tables equal to those of an independent program (sqlite3), on real data, and evidence that is true.

setup_file() {
        export WORK=$(mktemp -d) TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
        export TABULATOR=$(realpath "${BUILD:-$TOP/build}")/gbx-tabulator
        sqlite3 "$WORK/db" ".mode csv" ".import $TOP/tests/fixtures/credit.csv credit" ".import $TOP/tests/fixtures/eusilc.csv eusilc"
}

teardown_file() { rm -rf "$WORK"; }

# A job's root with the named fixtures; tables.yaml from standard input.
job() { # NAME FIXTURE...
        root=$WORK/$1
        mkdir -p "$root/job/schema" "$root/data" "$root/out"
        cat >"$root/job/tables.yaml"
        shift
        for fixture; do
                cp "$TOP/tests/fixtures/$fixture.csv" "$root/data/$fixture"
                "schema_$fixture" >"$root/job/schema/$fixture.json"
        done
}

schema_credit() {
        jq -n '{columns: ([["applicant_id","text"],["status","text"],["seniority","integer"],["home","text"],["time","integer"],["age","integer"],
          ["marital","text"],["records","text"],["job","text"],["expenses","integer"],["income","integer"],["assets","integer"],["debt","integer"],
          ["amount","integer"],["price","integer"]] | map({name: .[0], type: .[1], missing: (.[0] != "applicant_id"), key: (.[0] == "applicant_id")})),
          contributor: "applicant_id"}'
}

# Persons in households: the household is who contributes.
schema_eusilc() {
        head -1 "$TOP/tests/fixtures/eusilc.csv" | tr -d '"\r' | jq -R '{columns: (split(",") | map({name: ., missing: true,
          type: (if . == "db040" or . == "rb090" or . == "pl030" or . == "pb220a" then "text" elif . == "db030" or . == "hsize" or . == "rb030" or . == "age"
          then "integer" else "decimal" end), decimals: (if . == "rb050" or . == "db090" or . == "eqIncome" then 12 else 6 end), round: (. == "eqIncome")}
          | if .name == "db030" then .missing = false else . end)), contributor: "db030"}'
}

tabulate() { "$TABULATOR" --root "$root"; }

# The JSON of a table's evidence.
evidence() { # NAME
        python3 -c 'import sys; d = open(sys.argv[1], "rb").read(); n = int.from_bytes(d[8:16], "little"); sys.stdout.buffer.write(d[16:16 + n])' "$root/out/$1.evidence"
}

@test "counts, sums, means, shares, ratios and totals are those of sqlite3" {
        job plain credit <<'END'
tables:
  - name: plain
    data: credit
    where: age between 20 and 60 and job is not missing
    derive:
      - { name: bad, value: "status = 'bad'" }
    by: [home, job]
    statistics:
      - { name: n, kind: count }
      - { name: known, kind: count, of: income }
      - { name: incomes, kind: distinct, of: income }
      - { name: total, kind: sum, of: income }
      - { name: average, kind: mean, of: income }
      - { name: spread, kind: variance, of: income, decimals: 4 }
      - { name: share, kind: share, of: bad }
      - { name: ratio, kind: ratio, of: debt, over: income }
      - { name: weighted, kind: mean, of: income, weight: amount }
      - { name: least, kind: minimum, of: income }
      - { name: most, kind: maximum, of: income }
    margins: all
    empty: omit
END
        tabulate
        number() { echo "CASE WHEN $1 IS NOT NULL THEN printf('%.$2f', $1) END"; } # NAME DECIMALS
        cells() { # KEYS GROUP
                echo "SELECT k1, k2, n, known, incomes, total, $(number average 6), $(number spread 4), $(number share 6), $(number ratio 6), $(number weighted 6), least, most
                  FROM (SELECT ${1/,/ AS k1,} AS k2, count(*) AS n, count(i) AS known, count(DISTINCT i) AS incomes, sum(i) AS total, avg(i) AS average,
                  (count(i)*sum(i*i)*1.0 - sum(i)*sum(i)*1.0) / (count(i)*(count(i)-1)) AS spread, avg(status = 'bad') AS share,
                  sum(CASE WHEN i IS NOT NULL THEN d END)*1.0/sum(CASE WHEN d IS NOT NULL THEN i END) AS ratio,
                  sum(i*a)*1.0/sum(CASE WHEN i IS NOT NULL THEN a END) AS weighted, min(i) AS least, max(i) AS most
                  FROM (SELECT *, cast(nullif(income,'') AS integer) AS i, cast(nullif(debt,'') AS integer) AS d, cast(nullif(amount,'') AS integer) AS a FROM credit
                  WHERE cast(age AS integer) BETWEEN 20 AND 60 AND job <> '') $2);"
        }
        sqlite3 -csv "$WORK/db" "$(cells home,job 'GROUP BY home, job')" "$(cells "'(all)',job" 'GROUP BY job')" "$(cells "home,'(all)'" 'GROUP BY home')" \
                "$(cells "'(all)','(all)'" '')" | tr -d '\r"' | sort >"$WORK/expected"
        tail -n +2 "$root/out/plain.csv" | sort >"$WORK/found"
        [ "$(wc -l <"$WORK/found")" -gt 25 ]
        diff "$WORK/expected" "$WORK/found"
}

@test "decimals are exact to the last digit: sums of euros with twelve decimals, and weighted ones" {
        # A few incomes have 13 decimals: the schema says 12, and so they are rounded as they are read.
        job decimals eusilc <<'END'
tables:
  - name: regions
    data: eusilc
    by: [db040]
    statistics:
      - { name: income, kind: sum, of: eqIncome }
      - { name: people, kind: sum, of: rb050 }
      - { name: weighted, kind: sum, of: eqIncome, weight: rb050 }
      - { name: mean, kind: mean, of: eqIncome, weight: rb050, decimals: 10 }
      - { name: median, kind: quantile, of: eqIncome, at: 0.5, decimals: 10 }
      - { name: q, kind: quantile, of: eqIncome, at: 0.123, decimals: 10 }
END
        tabulate
        python3 - "$TOP/tests/fixtures/eusilc.csv" >"$WORK/expected" <<'END'
import csv, sys
from fractions import Fraction
from decimal import Decimal, getcontext
getcontext().prec = 80
def text(value, decimals):
        scaled = value * 10 ** decimals
        whole = scaled.numerator // scaled.denominator
        rest = scaled - whole
        if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2):
                whole += 1
        return str(Decimal(whole).scaleb(-decimals).quantize(Decimal(1).scaleb(-decimals)))
def quantile(values, at):
        place = (len(values) - 1) * at
        low = place.numerator // place.denominator
        high = min(low + 1, len(values) - 1)
        return values[low] + (place - low) * (values[high] - values[low])
regions = {}
for row in csv.DictReader(open(sys.argv[1])):
        if row["eqIncome"] != "":
                regions.setdefault(row["db040"], []).append((Fraction(text(Fraction(row["eqIncome"]), 12)), Fraction(row["rb050"])))
for region in sorted(regions):
        rows = regions[region]
        income, people, both = sum(x for x, w in rows), sum(w for x, w in rows), sum(x * w for x, w in rows)
        values = sorted(x for x, w in rows)
        print(",".join([region, text(income, 12), text(people, 12), text(both, 24), text(both / people, 10),
                        text(quantile(values, Fraction(1, 2)), 10), text(quantile(values, Fraction(123, 1000)), 10)]))
END
        diff "$WORK/expected" <(tail -n +2 "$root/out/regions.csv")
}

@test "who contributes is the household where the schema says so, and the largest of them are known exactly" {
        job households eusilc <<'END'
tables:
  - name: households
    data: eusilc
    by: [db040, rb090]
    statistics:
      - { name: n, kind: count }
      - { name: households, kind: contributors }
      - { name: income, kind: sum, of: py010n }
    margins: rollup
END
        tabulate
        sqlite3 -csv "$WORK/db" "SELECT db040, rb090, count(*), count(DISTINCT db030) FROM eusilc GROUP BY 1, 2" | tr -d '\r"' | sort >"$WORK/expected"
        grep -v all "$root/out/households.csv" | tail -n +2 | cut -d, -f1-4 | sort | diff "$WORK/expected" -
        # Largest five households of each cell, by sqlite3: sums per household, in millionths.
        sqlite3 -csv "$WORK/db" "SELECT db040, rb090, group_concat(s, ' ') FROM (SELECT db040, rb090, db030, cast(round(sum(py010n) * 1000000) AS integer) AS s,
          row_number() OVER (PARTITION BY db040, rb090 ORDER BY abs(sum(py010n)) DESC) AS place FROM eusilc WHERE py010n <> '' GROUP BY 1, 2, 3) WHERE place <= 5 GROUP BY 1, 2" |
                tr -d '\r"' | sort >"$WORK/expected"
        evidence households | jq -r '.cells[] | select(.states == [0,0]) | "\(.keys[0]),\(.keys[1]),\([.values[2].of.top[][0]] | join(" "))"' | sort | diff "$WORK/expected" -
        [ "$(evidence households | jq .dataset_contributors)" = "$(sqlite3 "$WORK/db" 'SELECT count(DISTINCT db030) FROM eusilc')" ]
}

@test "joins: each row meets at most one, inner drops, left keeps, and a key that is none is refused" {
        job joins credit <<'END'
tables:
  - name: inner
    data: credit
    join: [ { data: homes, as: h, on: home, key: code } ]
    by: [h.label]
    statistics: [ { name: n, kind: count }, { name: rent, kind: sum, of: h.cost } ]
  - name: left
    data: credit
    join: [ { data: homes, as: h, on: home, key: code, kind: left } ]
    by: [h.label]
    statistics: [ { name: n, kind: count } ]
END
        echo '{"columns":[{"name":"code","type":"text","missing":false,"key":true},{"name":"label","type":"text"},{"name":"cost","type":"integer"}]}' >"$root/job/schema/homes.json"
        printf 'code,label,cost\nrent,pays,7\nowner,owns,1\nparents,owns,2\n' >"$root/data/homes"
        tabulate
        [ "$(tail -n +2 "$root/out/inner.csv" | tr '\n' ' ')" = "$(sqlite3 -csv "$WORK/db" "SELECT CASE home WHEN 'rent' THEN 'pays' ELSE 'owns' END AS l, count(*),
          sum(CASE home WHEN 'rent' THEN 7 WHEN 'owner' THEN 1 ELSE 2 END) FROM credit WHERE home IN ('rent', 'owner', 'parents') GROUP BY l ORDER BY l" | tr -d '\r' | tr '\n' ' ')" ]
        [ "$(tail -1 "$root/out/left.csv")" = ",$(sqlite3 "$WORK/db" "SELECT count(*) FROM credit WHERE home NOT IN ('rent', 'owner', 'parents')")" ]
        echo 'rent,again,9' >>"$root/data/homes"
        rm "$root"/out/*
        run tabulate
        [ "$status" -eq 5 ]
        [[ "$output" == *"'homes', row 4: 'code' is declared a key, and a value stands twice"* ]]
        [ -z "$(ls "$root/out")" ]
}

@test "the contributor's column is looked at: a key that stands twice is refused" {
        job twice credit <<'END'
tables: [ { name: t, data: credit, statistics: [ { name: n, kind: count } ] } ]
END
        head -2 "$root/data/credit" | tail -1 >>"$root/data/credit"
        run tabulate
        [ "$status" -eq 5 ]
        [[ "$output" == *"row 4455: 'applicant_id' is declared a key"* ]]
}

@test "regressions: coefficients and standard errors are those of an independent computation" {
        job models credit <<'END'
tables:
  - { name: linear, data: credit, model: { kind: linear, outcome: income, terms: [age, "amount / 1000", "indicator(home = 'owner')"] } }
  - { name: logistic, data: credit, model: { kind: logistic, outcome: "status = 'bad'", terms: [seniority, income, "if(records = 'yes', 1, 0)"] } }
END
        tabulate
        python3 - "$TOP/tests/fixtures/credit.csv" "$root/out" <<'END'
import csv, math, sys
from fractions import Fraction
rows = list(csv.DictReader(open(sys.argv[1])))
def inverse(m):
        n = len(m)
        m = [row[:] + [type(row[0])(i == j) for j in range(n)] for i, row in enumerate(m)]
        for p in range(n):
                best = max(range(p, n), key=lambda i: abs(m[i][p]))
                m[p], m[best] = m[best], m[p]
                m[p] = [v / m[p][p] for v in m[p]]
                for i in range(n):
                        if i != p:
                                m[i] = [a - m[i][p] * b for a, b in zip(m[i], m[p])]
        return [row[n:] for row in m]
def found(name):
        return [(line["estimate"], line["standard_error"]) for line in csv.DictReader(open(sys.argv[2] + "/" + name + ".csv"))]
def check(name, estimates, errors):
        table = found(name)
        assert len(table) == len(estimates)
        for (estimate, error), a, b in zip(table, estimates, errors):
                assert abs(float(estimate) - float(a)) < 2e-6 and abs(float(error) - float(b)) < 2e-6, (name, estimate, error, float(a), float(b))
complete = [r for r in rows if all(r[c] for c in ("income", "age", "amount", "home"))]
X = [[Fraction(1), Fraction(r["age"]), Fraction(r["amount"]) / 1000, Fraction(r["home"] == "owner")] for r in complete]
y = [Fraction(r["income"]) for r in complete]
XX = [[sum(x[i] * x[k] for x in X) for k in range(4)] for i in range(4)]
Xy = [sum(x[i] * v for x, v in zip(X, y)) for i in range(4)]
inv = inverse(XX)
b = [sum(inv[i][k] * Xy[k] for k in range(4)) for i in range(4)]
s2 = (sum(v * v for v in y) - sum(b[i] * Xy[i] for i in range(4))) / (len(y) - 4)
check("linear", b, [math.sqrt(s2 * inv[i][i]) for i in range(4)])
complete = [r for r in rows if all(r[c] for c in ("status", "seniority", "income"))]
X = [[1.0, float(r["seniority"]), float(r["income"]), float(r["records"] == "yes")] for r in complete]
y = [float(r["status"] == "bad") for r in complete]
b = [0.0] * 4
for _ in range(25):
        ps = [1 / (1 + math.exp(-sum(c * v for c, v in zip(b, x)))) for x in X]
        inv = inverse([[math.fsum(p * (1 - p) * x[i] * x[k] for x, p in zip(X, ps)) for k in range(4)] for i in range(4)])
        g = [math.fsum(x[i] * (v - p) for x, v, p in zip(X, y, ps)) for i in range(4)]
        b = [b[i] + sum(inv[i][k] * g[k] for k in range(4)) for i in range(4)]
check("logistic", b, [math.sqrt(inv[i][i]) for i in range(4)])
END
        [ "$(evidence linear | jq '[.parameters, (.cells | length), .cells[0].contributors]' -c)" = "[4,1,$(sqlite3 "$WORK/db" "SELECT count(*) FROM credit WHERE income <> '' AND home <> '' AND amount <> '' AND age <> ''")]" ]
        # Terms that depend on each other, and an outcome that is told exactly, have no answer.
        for model in '{ outcome: income, terms: [age, "age * 2"] }' '{ kind: logistic, outcome: "age > 40", terms: [age] }'; do
                echo "tables: [ { name: t, data: credit, model: $model } ]" >"$root/job/tables.yaml"
                run tabulate
                [ "$status" -eq 2 ]
                [[ "$output" == *"depend on each other"* ]]
        done
}

@test "the same description as JSON gives the same bytes, and so does a second run" {
        job again credit <<'END'
tables:
  - { name: t, data: credit, by: [marital], statistics: [ { name: n, kind: count }, { name: m, kind: mean, of: age } ] }
END
        tabulate
        cp "$root/out/t.evidence" "$root/out/t.csv" "$WORK"
        rm "$root"/out/* "$root/job/tables.yaml"
        echo '{"tables": [{"name": "t", "data": "credit", "by": ["marital"],
          "statistics": [{"name": "n", "kind": "count"}, {"name": "m", "kind": "mean", "of": "age"}]}]}' >"$root/job/tables.json"
        tabulate
        cmp "$WORK/t.evidence" "$root/out/t.evidence"
        cmp "$WORK/t.csv" "$root/out/t.csv"
}

@test "bad data and descriptions: exit code 2, the place, and never a value" {
        job bad credit <<'END'
tables:
  - { name: t, data: credit, by: [nowhere], where: "age + 'x'", statistics: [ { name: n, kind: mean } ] }
END
        run tabulate
        [ "$status" -eq 2 ]
        [[ "$output" == *"job/tables.yaml:2:35: by: there is no column 'nowhere'"* ]]
        [[ "$output" == *"job/tables.yaml:2:52: where, character 7: arithmetic wants a number here"* ]]
        [[ "$output" == *"a statistic of kind mean needs 'of'"* ]]
        echo 'tables: [ { name: t, data: credit, statistics: [ { name: n, kind: sum, of: age } ] } ]' >"$root/job/tables.yaml"
        sed -i '3s/,58,/,secret58,/' "$root/data/credit"
        run tabulate
        [ "$status" -eq 2 ]
        [[ "$output" == *"dataset 'credit', line 3, column 'age': a whole number is wanted"* ]]
        [[ "$output" != *secret* ]]
}

@test "in the sandbox: image tabulator, profile tabulator, no system call denied, the same bytes" {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
        build=$(dirname "$TABULATOR")
        digest=$(cat "$build/images/tabulator.digest")
        job boxed credit <<'END'
tables:
  - { name: t, data: credit, by: [home], margins: all, statistics: [ { name: n, kind: count }, { name: m, kind: quantile, of: income, at: 0.5 }, { name: s, kind: share, of: "status = 'bad'" } ] }
END
        tabulate
        mv "$root/out" "$root/outside"
        chmod 755 "$WORK" "$root" && mkdir -m 1777 "$root/out"
        jq -n --arg root "$root" --arg digest "$digest" --arg image "$build/images/tabulator-${digest#sha256:}.squashfs" '{
                version: 1, name: "tabulator-test", image: {file: $image, digest: $digest}, argv: ["/bin/gbx-tabulator"], profile: "tabulator", stdin: null,
                mounts: [{target: "/data", directory: ($root + "/data")}, {target: "/job", directory: ($root + "/job")},
                         {target: "/out", directory: ($root + "/out"), writable: true}],
                limits: {wall_ms: 60000, cpu_ms: 60000, memory_bytes: 268435456, pids: 4, open_files: 64, file_bytes: 67108864, denials: 1000}}' >"$root/spec.json"
        (cd "$TOP" && "$build/gbx-sandbox" run "$root/spec.json" --result-fd 5 5>"$root/result")
        cat "$root/result"
        [ "$(jq -c '[.outcome, .exit_code, .denied_total]' "$root/result")" = '["exited",0,0]' ]
        cmp "$root/outside/t.csv" "$root/out/t.csv"
        cmp "$root/outside/t.evidence" "$root/out/t.evidence"
}
