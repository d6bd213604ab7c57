#!/usr/bin/env bats
# data.query: SQL by DuckDB, outside and inside the sandbox. Skipped where scripts/install-duckdb was not run.
load engine

setup() {
        [ -e vendor/duckdb/libduckdb.so ] || skip "scripts/install-duckdb was not run"
        engine_setup
        engine=$BUILD/gbx-lua-duckdb
        export LD_LIBRARY_PATH=$PWD/vendor/duckdb
        limits '{"memory_bytes": 268435456, "print_bytes": 65536}'
        dataset d 'n:integer x:decimal t:text day:date b:boolean' <<-'CSV'
		n,x,t,day,b
		1,0.5,"a, ""quoted"" text that is long",2024-02-29,true
		,,,,
		9223372036854775807,-2.25,b,1969-12-31,false
		CSV
}

@test "values arrive with the types of the schema" {
        script <<-'LUA'
		for row in data.query("select * from d") do
		  print(math.type(row.n), row.n, row.x, row.t, row.day, row.b)
		end
		for row in data.query("select sum(n) s, avg(x) a, count(*)::utinyint c, max(n) + 1::hugeint h, 1.25::decimal(5, 2) e from d") do
		  print(row.s, row.a, row.c, row.h, row.e)
		end
		for row in data.query("select n from d where false") do error("a row") end
		LUA
        echo "$output"
        ends_done
        [ "$printed" = "$(printf '%s\n' \
                $'integer\t1\t0.5\ta, "quoted" text that is long\t2024-02-29\ttrue' $'nil\tnil\tnil\tnil\tnil\tnil' \
                $'integer\t9223372036854775807\t-2.25\tb\t1969-12-31\tfalse' \
                $'9.2233720368548e+18\t-0.875\t3\t9.2233720368548e+18\t1.25')" ]
}

@test "SQL and rows in Lua agree on the demo's table" {
        cp tests/fixtures/credit.csv "$root/data/credit"
        sed -n '1s/"//gp' tests/fixtures/credit.csv | tr , '\n' | jq -Rn '{columns: [inputs | {name: .,
                type: (if IN("applicant_id", "status", "home", "marital", "records", "job") then "text" else "integer" end)}]}' \
                >"$root/job/schema/credit.json"
        script <<-'LUA'
		local bad, all = {}, {}
		for _, home, status in data.each("credit", { "home", "status" }) do
		  home = home or "?"
		  all[home] = (all[home] or 0) + 1
		  bad[home] = (bad[home] or 0) + (status == "bad" and 1 or 0)
		end
		local groups = 0
		for row in data.query("select coalesce(home, '?') home, count(*) n, count(*) filter (status = 'bad') bad from credit group by 1") do
		  assert(all[row.home] == row.n and bad[row.home] == row.bad)
		  groups = groups + 1
		end
		print(groups)
		LUA
        ends_done
        [ "$printed" = 7 ]
}

@test "files, extensions, other databases and the configuration are out of reach" {
        echo secret >"$root/job/secret.csv"
        # control: before it is locked, DuckDB does read files; that is how it reads the datasets
        script <<-'LUA'
		for row in data.query("select count(*) n from d") do print(row.n) end
		LUA
        [ "$printed" = 3 ]
        sed "s|ROOT|$root|g" >"$root/attack.lua" <<-'LUA'
		for _, sql in ipairs {
		  "select * from read_text('ROOT/job/secret.csv')", "select * from read_csv('ROOT/job/secret.csv')",
		  "select * from read_blob('/etc/passwd')", "select * from '/etc/passwd'", "select * from glob('/etc/*')",
		  "select * from sniff_csv('/etc/passwd')", "select * from read_json('ROOT/job/limits.json')",
		  "copy (select 1) to 'ROOT/out/x.csv'", "copy d to 'ROOT/data/d'", "export database 'ROOT/out'",
		  "attach 'ROOT/out/x.db'", "install httpfs", "load httpfs", "select * from 'https://example.org/x.csv'",
		  "set enable_external_access = true", "set threads = 2", "set memory_limit = '8GB'", "reset lock_configuration",
		  "set allowed_paths = ['/etc/passwd']", "set temp_directory = 'ROOT/out'", "pragma enable_logging",
		  "select [1]", "select 'x'::blob", "sel", "",
		} do
		  local ok, message = pcall(function() for row in data.query(sql) do print("row", sql) end end)
		  if ok and sql ~= "" then print("worked", sql) end
		end
		print(pcall(data.query, "select 1\0"))
		LUA
        script <"$root/attack.lua"
        echo "$output" "$printed"
        ends_done
        ! grep -E '^(row|worked)' <<<"$printed" || false
        [ "$(ls "$root/out")" = $'print.txt\nrelease.json' ]
}

@test "hoarding is an error of the query, and the same query gives the same bytes" {
        script <<<'for row in data.query("select list(range) from range(100000000)") do end'
        [[ $output == *"Out of Memory"* ]]
        ends_with runtime-error 1
        script <<<'for row in data.query("select sum(sqrt(range::double)) s from range(1000000)") do print(string.format("%.17g", row.s)) end'
        first=$printed
        for _ in 1 2 3; do
                script <<<"$(cat "$root/job/script.lua")"
                [ "$printed" = "$first" ]
        done
}

@test "a result that is not read to its end, and its handle, do no harm" {
        script <<-'LUA'
		for row in data.query("select * from range(100000)") do break end
		local step, _, _, handle = data.query("select range r from range(3)")
		print(step().r, getmetatable(handle), pcall(setmetatable, handle, {}))
		do local x <close> = handle end
		do local x <close> = handle end
		print(step())
		for i = 1, 200 do data.query("select * from range(5000)") end
		collectgarbage()
		LUA
        ends_done
        [[ $printed == $'0\tfalse\tfalse\t'* ]]
}

@test "in the sandbox: image engine, profile engine" {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
        digest=$(cat "$BUILD/images/engine.digest")
        echo 'for row in data.query("select count(*) n, sum(x) x from d") do print(row.n, row.x) end' >"$root/job/script.lua"
        chmod 755 "$root" && chmod 1777 "$root/out"
        jq -n --arg root "$root" --arg digest "$digest" --arg image "$PWD/$BUILD/images/engine-${digest#sha256:}.squashfs" '{
                version: 1, name: "engine-test", image: {file: $image, digest: $digest},
                argv: ["/bin/gbx-lua-duckdb", "/job/script.lua"], profile: "engine", stdin: null,
                mounts: [{target: "/data", directory: ($root + "/data")}, {target: "/job", directory: ($root + "/job")},
                         {target: "/out", directory: ($root + "/out"), writable: true}],
                limits: {wall_ms: 30000, cpu_ms: 30000, memory_bytes: 536870912, pids: 16, open_files: 64,
                         file_bytes: 67108864, denials: 1000}}' >"$root/spec.json"
        run env -u LD_LIBRARY_PATH bash -c '"$1" run "$2/spec.json" --result-fd 5 5>"$2/result" 2>&1' - "$BUILD/gbx-sandbox" "$root"
        echo "$output"
        cat "$root/result"
        [ "$status" -eq 0 ]
        [ "$(jq -c '[.outcome, .exit_code]' "$root/result")" = '["exited",0]' ]
        [ "$(cat "$root/out/print.txt")" = $'3\t-1.75' ]
}

@test "an approved script for lua-sql goes the whole way: policy, sandbox, gate, replay" {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
        load site
        make_site "$root/s"
        cat >"$root/rate.lua" <<-'LUA'
		local rows = {}
		for row in data.query([[select home, count(*) applicants, avg((status = 'bad')::int) default_rate
		                        from credit where home is not null group by home having count(*) >= 10]]) do
		  rows[#rows + 1] = row
		end
		release.table { name = "default-rate", rows = rows, columns = {
		  { name = "home", type = "text", role = "key" }, { name = "applicants", type = "integer", role = "count" },
		  { name = "default_rate", type = "decimal", role = "value", unit = "0.001" } } }
		LUA
        status_is 2 gbx algo submit "$build/tests/sandbox-probe" --engine lua-sql --as bank-a
        says "is for the engine native, not 'lua-sql'"
        digest=$(submit "$root/rate.lua" --engine lua-sql --purpose credit-scoring)
        gbx algo ls | grep lua-sql
        sed 's/^engines: .*/engines: [lua, lua-sql]/; s/memory: 256M/memory: 512M/' "$demo/credit-scoring.yaml" >"$root/with-sql.yaml"
        status_is 3 gbx job run --algo "$digest" --data credit --purpose credit-scoring --param by=home --as bank-a
        says "does not allow the engine 'lua-sql'"
        gbx policy apply "$root/with-sql.yaml" --as admin
        gbx policy show credit-scoring | grep -q 'engines *lua, lua-sql'
        approve "$digest"
        status_is 0 gbx job run --algo "$digest" --data credit --purpose credit-scoring --param by=home --as bank-a
        echo "$output"
        run_id=$(gbx job ls --json | jq -r '.[-1].run // .[-1].id')
        status_is 0 gbx job fetch "$run_id" --output "$root/fetched" --as bank-a
        age -d -i "$PEOPLE/bank-a.age" "$root/fetched"/default-rate.csv.age >"$root/rates.csv"
        cat "$root/rates.csv"
        [ "$(wc -l <"$root/rates.csv")" -ge 5 ]
        grep -q '^owner,2107,' "$root/rates.csv"
        status_is 0 gbx audit replay --as audit
        echo "$output"
}
