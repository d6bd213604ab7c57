#!/usr/bin/env bats
# gbx-lua: data, parameters, releases, reports, limits. What hostile scripts try is in tests/attack/lua.bats.
load engine

setup() { engine_setup; }

credit() {
        cp tests/fixtures/credit.csv "$root/data/credit"
        jq -n '{columns: [
                {name: "applicant_id", type: "text", missing: false}, {name: "status", type: "text"},
                {name: "seniority", type: "integer"}, {name: "home", type: "text"}, {name: "time", type: "integer"},
                {name: "age", type: "integer"}, {name: "marital", type: "text"}, {name: "records", type: "text"},
                {name: "job", type: "text"}, {name: "expenses", type: "decimal"}, {name: "income", type: "decimal"},
                {name: "assets", type: "decimal"}, {name: "debt", type: "decimal"}, {name: "amount", type: "decimal"},
                {name: "price", type: "decimal"}]}' >"$root/job/schema/credit.json"
}

@test "the demo's script and the demo's native program give the same table" {
        credit
        params '{"by": ["job", "home"]}'
        script <scripts/demo/default-rate.lua
        ends_done
        mv "$root/out" "$root/out.lua"
        mkdir "$root/out"
        "$BUILD/demo/scorecard" "$root"
        cmp "$root/out.lua/default-rate.csv" "$root/out/default-rate.csv"
        cmp <(jq -S '.outputs[0]' "$root/out.lua/release.json") <(jq -S '.outputs[0]' "$root/out/release.json")
        # and an independent program counts the same
        sqlite3 -csv -nullvalue '' :memory: ".import $root/data/credit c" \
                "select job, home, count(*), printf('%.3f', avg(status = 'bad')) from c
                 where job <> '' and home <> '' group by 1, 2 order by 1, 2" | tr -d '\r' >"$root/expected"
        cmp <(tail -n +2 "$root/out/default-rate.csv") "$root/expected"
}

@test "values have the types of the schema, and empty fields are nil" {
        dataset d 'i:integer x:decimal t:text d:date b:boolean' <<-'CSV'
		i,x,t,d,b
		-9223372036854775808,0.1,"a ""b"", c",2024-02-29,true
		,,"",,
		7,1e-3,"two
		lines",1999-12-31,false
		CSV
        script <<-'LUA'
		for row in data.rows("d") do
		  print(math.type(row.i), row.i, row.x, row.t, row.d, row.b)
		end
		for i, b, t in data.each("d", { "b", "t" }) do
		  print(i, b, t)
		end
		LUA
        ends_done
        [ "$printed" = "$(printf '%s\n' \
                $'integer\t-9223372036854775808\t0.1\ta "b", c\t2024-02-29\ttrue' \
                $'nil\tnil\tnil\tnil\tnil\tnil' \
                $'integer\t7\t0.001\ttwo\nlines\t1999-12-31\tfalse' \
                $'1\ttrue\ta "b", c' $'2\tnil\tnil' $'3\tfalse\ttwo\nlines')" ]
}

@test "a value of the wrong type ends the run, naming line and column but not the value" {
        dataset d 'a:integer b:date' <<-'CSV'
		a,b
		1,2024-01-01
		2,2023-02-29
		CSV
        script <<-'LUA'
		local ok = pcall(function()
		  for row in data.rows("d") do end
		end)
		print("caught", ok)
		LUA
        ends_with data-error 2
        [[ $output == *"dataset 'd', line 3, column 'b': not a value of type date"* ]]
        [[ $output != *2023-02-29* ]]
        # the other column alone is fine
        script <<<'for i, a in data.each("d", {"a"}) do print(a) end'
        ends_done
}

@test "a header that is not the schema's, a broken row and a missing required value are data errors" {
        dataset d 'a:integer b:text' <<<$'a,b,c\n1,x,y'
        script <<<'for row in data.rows("d") do end'
        ends_with data-error 1
        dataset d 'a:integer b:text' <<<$'a\n1'
        script <<<'for row in data.rows("d") do end'
        ends_with data-error
        dataset d 'a:integer b:text' <<<$'a,b\n1,x\n2'
        script <<<'for row in data.rows("d") do end'
        ends_with data-error
        dataset d 'a:integer b:text' <<<$'b,a\nx,1\n,2'
        script <<<'for i, a, b in data.each("d", {"a", "b"}) do print(a, b) end'
        ends_done
        jq '.columns[1].missing = false' "$root/job/schema/d.json" >"$root/schema" && mv "$root/schema" "$root/job/schema/d.json"
        script <<<'for row in data.rows("d") do end'
        ends_with data-error
}

@test "unknown datasets and columns are errors of the script" {
        dataset d 'a:integer' <<<$'a\n1'
        script <<<'print(pcall(data.rows, "nothing")) print(pcall(data.rows, "../job/script")) print(data.names()[1])'
        ends_done
        [[ $printed == *"no schema for this dataset"*"not the name of a dataset"*d ]]
        script <<<'for row in data.rows("d", {"b"}) do end'
        ends_with runtime-error 1
}

@test "parameters can be read, gone through and not changed" {
        params '{"by": ["job", "home"], "seed": 7, "deep": {"x": 1.5}, "yes": true, "none": null}'
        script <<-'LUA'
		for k, v in pairs(params) do print(k, type(v)) end
		print(#params.by, table.concat(params.by, "+"), params.deep.x, params.none)
		for i, name in ipairs(params.by) do print(i, name) end
		print(pcall(function() params.seed = 8 end))
		print(pcall(function() params.deep.x = 8 end))
		print(pcall(rawset, params, "seed", 8))
		print(getmetatable(params), params.seed)
		LUA
        ends_done
        [ "$(head -n 5 <<<"$printed")" = $'by\ttable\ndeep\ttable\nseed\tnumber\nyes\tboolean\n2\tjob+home\t1.5\tnil' ]
        [ "$(grep -c '^false.*read-only\|^false.*protected' <<<"$printed")" -eq 3 ]
        [ "$(tail -n 1 <<<"$printed")" = $'false\t7' ]
}

@test "a release has sorted rows, rounded values and a manifest" {
        script <<-'LUA'
		release.table {
		  name = "t",
		  columns = {
		    { name = "group", type = "text", role = "key" },
		    { name = "year", type = "integer", role = "key" },
		    { name = "n", type = "integer", role = "count" },
		    { name = "mean", type = "decimal", role = "value", unit = "0.05" },
		    { name = "sum", type = "integer", role = "value", unit = 1000 },
		    { name = "exact", type = "decimal", role = "value" },
		  },
		  rows = {
		    { group = "b, \"c\"", year = 2001, n = 3, mean = 1.224, sum = 1500, exact = 0.1 },
		    { group = "a", year = 2010, n = 2.0, mean = -0.01, sum = -499, exact = 1 / 3 },
		    { group = "a", year = 999, n = 1 },
		  },
		}
		LUA
        ends_done
        [ "$(cat "$root/out/t.csv")" = 'group,year,n,mean,sum,exact
a,999,1,,,
a,2010,2,0.00,0,0.3333333333333333
"b, ""c""",2001,3,1.20,2000,0.1' ]
        jq -e '.version == 1 and .outputs[0].file == "t.csv" and .outputs[0].kind == "table" and
               .outputs[0].columns[3] == {name: "mean", type: "decimal", role: "value", unit: "0.05"}' "$root/out/release.json"
}

@test "a table that is described wrongly ends the run" {
        while read -r table; do
                script <<<"pcall(release.table, $table)"
                ends_with release-error 1
        done <<-'TABLES'
		{ name = "T", columns = { { name = "a", type = "text", role = "key" } }, rows = {} }
		{ name = "../t", columns = { { name = "a", type = "text", role = "key" } }, rows = {} }
		{ name = "t", columns = {}, rows = {} }
		{ name = "t", columns = { { name = "a", type = "text" } }, rows = {} }
		{ name = "t", columns = { { name = "1a", type = "text", role = "key" } }, rows = {} }
		{ name = "t", columns = { { name = "=a", type = "text", role = "key" } }, rows = {} }
		{ name = "t", columns = { { name = "a", type = "text", role = "key" }, { name = "a", type = "text", role = "key" } }, rows = {} }
		{ name = "t", columns = { { name = "a", type = "string", role = "key" } }, rows = {} }
		{ name = "t", columns = { { name = "a", type = "text", role = "key", unit = 1 } }, rows = {} }
		{ name = "t", columns = { { name = "a", type = "decimal", role = "count" } }, rows = {} }
		{ name = "t", columns = { { name = "a", type = "integer", role = "count" } }, rows = { { a = -1 } } }
		{ name = "t", columns = { { name = "a", type = "integer", role = "count" } }, rows = { {} } }
		{ name = "t", columns = { { name = "a", type = "integer", role = "value" } }, rows = { { a = "1" } } }
		{ name = "t", columns = { { name = "a", type = "integer", role = "value" } }, rows = { { a = 1.5 } } }
		{ name = "t", columns = { { name = "a", type = "decimal", role = "value" } }, rows = { { a = 0/0 } } }
		{ name = "t", columns = { { name = "a", type = "text", role = "value" } }, rows = { { a = "\xff" } } }
		{ name = "t", columns = { { name = "a", type = "text", role = "value" } }, rows = { { a = "x", b = 1 } } }
		{ name = "t", columns = { { name = "a", type = "text", role = "value" } }, rows = { [2] = { a = "x" } } }
		{ name = "t", columns = { { name = "a", type = "text", role = "value" } }, rows = {}, colums = {} }
		TABLES
}

@test "the same script gives the same bytes, whatever the seed of Lua's hashes" {
        limits '{"print_bytes": 1000000}'
        script <<-'LUA'
		local t = {}
		for i = 1, 2000 do t["k" .. i * 7919 % 2003] = i end
		for i = 1, 50 do t[i * 37 % 101 + 0.5] = i end
		for i = -20, 20 do t[i] = i end
		for k, v in pairs(t) do print(k, v) end
		print({}, print, coroutine.create(print), string.format("%s", {}))
		print(math.random(), math.random(1000))
		local list = {}
		for i = 1, 3000 do list[i] = { i % 7, i } end
		table.sort(list, function(a, b) return a[1] < b[1] end)
		for i = 1, 3000, 100 do print(list[i][2]) end
		LUA
        ends_done
        first=$printed
        for _ in 1 2 3; do
                rm -r "$root/out" && mkdir "$root/out"
                "$engine" --root "$root" "$root/job/script.lua" 2>/dev/null 3>&-
                [ "$(cat "$root/out/print.txt")" = "$first" ]
        done
        # control: plain Lua's order does change
        [ "$(for _ in 1 2 3 4 5 6 7 8; do lua5.4 "$root/job/script.lua" | head -n 50 | sha256sum; done | sort -u | wc -l)" -gt 1 ]
}

@test "progress only rises, in hundredths, and says nothing else" {
        script <<<'progress(0.105, 2) progress(0.05) progress(0.1099) progress(0/0) progress(7) progress(8)'
        [ "$(cat "$root/report")" = $'{"progress":0.10,"step":2}\n{"progress":1.00}\n{"end":"done"}' ]
        script <<<'progress(0.1, 101)'
        [ "$(jq -r .rule <<<"$report")" = runtime-error ]
}

@test "print is dropped unless limits.json gives it room" {
        limits '{}'
        script <<<'print("secret") print("secret")'
        ends_done
        [ ! -e "$root/out/print.txt" ]
        [[ $output == *"2 calls of print() dropped"* && $output != *secret* ]]
        limits '{"print_bytes": 5}'
        script <<<'print("secret") print("secret")'
        [ "$printed" = secre ]
        jq -e '.outputs == [{file: "print.txt", kind: "opaque"}]' "$root/out/release.json"
}

@test "ends: syntax error, runtime error in a function, error in a coroutine, limits" {
        script <<<$'local x = 1\nlocal = 2'
        ends_with syntax-error 2
        script <<<$'local function f()\n  error("x")\nend\nf()'
        ends_with runtime-error 2
        script <<<$'error({ code = 1 })'
        ends_with runtime-error 1
        script <<<$'local co = coroutine.wrap(function() error("x") end)\nco()'
        ends_with runtime-error
        script <<<$'local n = 0\nwhile true do n = n + 1 end'
        ends_with instruction-limit 2
        script <<<$'local t = {}\nfor i = 1, 1e9 do t[i] = i end'
        ends_with memory-limit 2
}

@test "what is wrong in /job is a job error" {
        limits '{"memory": 1}'
        script <<<'print(1)'
        ends_with job-error
        limits '{"memory_bytes": 1}'
        script <<<'print(1)'
        ends_with job-error
        limits '{}'
        params '[1]'
        script <<<'print(1)'
        ends_with job-error
        params '{"a": 1, "a": 2}'
        script <<<'print(1)'
        ends_with job-error
}

@test "usage" {
        run "$engine"
        [ "$status" -eq 2 ]
        run "$engine" --help
        [ "$status" -eq 0 ]
        run "$engine" --root "$root" "$root/nothing.lua" 3>&-
        [ "$status" -eq 1 ]
}

@test "images: named by their digest, the same bytes each time, nothing of the host inside" {
        digest=$(cat "$BUILD/images/lua.digest")
        image=$BUILD/images/lua-${digest#sha256:}.squashfs
        [ "sha256:$(sha256sum <"$image" | cut -d' ' -f1)" = "$digest" ]
        cp -r "$BUILD/images" "$root/before"
        mkdir -p "$root/build" && cp "$BUILD/gbx-lua" "$root/build"
        BUILD=$root/build images/build lua
        cmp "$image" "$root/build/images/$(basename "$image")"
        unsquashfs -q -n -d "$root/tree" "$image" >/dev/null
        [ "$(cd "$root/tree" && find . | sort | tr '\n' ' ')" = \
                '. ./bin ./bin/gbx-lua ./data ./dev ./etc ./job ./out ./proc ./tmp ' ]
        ! strings -n 6 "$root/tree/bin/gbx-lua" | grep -F "$PWD" || false
}

# in_sandbox PROFILE IMAGE ARGUMENTS...: runs a job of $root; $result is gbx-sandbox's account.
in_sandbox() {
        local profile=$1 image=$2 digest
        digest=$(cat "$BUILD/images/$image.digest")
        shift 2
        chmod 755 "$root" && rm -rf "$root/out" && mkdir -m 1777 "$root/out"
        jq -n --arg root "$root" --arg digest "$digest" --arg profile "$profile" \
                --arg image "$PWD/$BUILD/images/$image-${digest#sha256:}.squashfs" '{
                version: 1, name: "engine-test", image: {file: $image, digest: $digest}, argv: $ARGS.positional,
                profile: $profile, pass_fds: {"3": 4}, stdin: null,
                mounts: [{target: "/data", directory: ($root + "/data")},
                         {target: "/job", directory: ($root + "/job"), executable: true},
                         {target: "/out", directory: ($root + "/out"), writable: true}],
                limits: {wall_ms: 30000, cpu_ms: 30000, memory_bytes: 268435456, pids: 16, open_files: 64,
                         file_bytes: 67108864, denials: 1000}}' --args "$@" >"$root/spec.json"
        run bash -c '"$1" run "$2/spec.json" --result-fd 5 4>"$2/report" 5>"$2/result" 2>&1' - "$BUILD/gbx-sandbox" "$root"
        echo "$output"
        [ "$status" -eq 0 ]
        result=$(cat "$root/result")
        echo "$result"
}

@test "in the sandbox both engines give the same table, and no system call is denied" {
        [ "$(id -u)" -eq 0 ] || skip "needs root"
        credit
        params '{"by": ["home"]}'
        cp scripts/demo/default-rate.lua "$root/job/script.lua"
        cp "$BUILD/demo/scorecard" "$root/job/program"
        in_sandbox lua lua /bin/gbx-lua /job/script.lua
        [ "$(jq -c '[.outcome, .exit_code, .denied_total]' <<<"$result")" = '["exited",0,0]' ]
        [ "$(tail -n 1 "$root/report")" = '{"end":"done"}' ]
        mv "$root/out" "$root/out.lua"
        in_sandbox native native-min /job/program
        [ "$(jq -c '[.outcome, .exit_code, .denied_total]' <<<"$result")" = '["exited",0,0]' ]
        diff -r "$root/out.lua" "$root/out"
        # an end with an error passes through as well
        echo 'error(data.names()[1])' >"$root/job/script.lua"
        in_sandbox lua lua /bin/gbx-lua /job/script.lua
        [ "$(jq -c '[.outcome, .exit_code, .denied_total]' <<<"$result")" = '["exited",1,0]' ]
        [ "$(tail -n 1 "$root/report")" = '{"end":"error","rule":"runtime-error","line":1}' ]
}
