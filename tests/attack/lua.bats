#!/usr/bin/env bats
# E15: what a hostile Lua script tries against its host. Each attack is first shown to work in plain
# Lua 5.4 (control), then to fail in gbx-lua: with a missing function, an error, or a limit that ends the
# run whatever the script does to catch it. Elsewhere than in the sandbox, so that nothing else stops it.
load ../e2e/engine

setup() { engine_setup; }

# control: the script on standard input works in plain Lua, which prints a last line matching $1.
control() {
        cat >"$root/control.lua"
        run timeout 20 lua5.4 "$root/control.lua"
        echo "control: status $status, output ${output:0:300}"
        [ "$status" -eq 0 ]
        [[ ${lines[-1]} == $1 ]]
}

# control_hangs: plain Lua is still at it after two seconds, in spite of an instruction hook.
control_hangs() {
        {
                echo 'debug.sethook(function() error("hook") end, "", 100000);'
                cat
        } >"$root/control.lua"
        run timeout -s KILL 2 lua5.4 "$root/control.lua"
        echo "control: status $status, output $output"
        [ "$status" -eq 137 ]
}

# A limit must end the run soon: what is tried would take plain Lua hours.
limited() { # RULE, the script on standard input
        limits '{"instructions": 20000000, "memory_bytes": 33554432}'
        cat >"$root/job/script.lua"
        rm -rf "$root/out" && mkdir "$root/out"
        run timeout 20 bash -c '"$1" --root "$2" "$2/job/script.lua" 3>"$2/report" 2>&1' - "$engine" "$root"
        report=$(tail -n 1 "$root/report")
        rm "$root/job/limits.json"
        ends_with "$1"
}

fails() { # the script on standard input runs into a runtime error and prints nothing
        script
        ends_with runtime-error "$@"
        [ -z "$printed" ]
}

@test "files, programs and modules: io, os, require, package, dofile, loadfile are absent" {
        control 'root:*' <<<'print(io.open("/etc/passwd"):read())'
        fails <<<'print(io.open("/etc/passwd"):read())'
        control 'got in' <<<'io.write(io.popen("echo got in"):read("a"))'
        fails <<<'io.write(io.popen("echo got in"):read("a"))'
        control 'got in' <<<'os.execute("echo got in")'
        fails <<<'os.execute("echo got in")'
        control '/*' <<<'print(os.getenv("HOME"))'
        fails <<<'print(os.getenv("HOME"))'
        echo 'return "got in"' >"$root/module.lua"
        control 'got in' <<<"package.path = '$root/?.lua' print((require 'module'))"
        fails <<<"package.path = '$root/?.lua' print((require 'module'))"
        control 'got in' <<<"print(dofile('$root/module.lua'))"
        fails <<<"print(dofile('$root/module.lua'))"
        control 'got in' <<<"print(loadfile('$root/module.lua')())"
        fails <<<"print(loadfile('$root/module.lua')())"
}

@test "the globals are exactly those of the manual, and the program holds no other library" {
        script <<-'LUA'
		local function names(t) local list = {} for k in pairs(t) do list[#list + 1] = k end return table.concat(list, " ") end
		print(names(_G))
		for _, t in ipairs { "coroutine", "data", "math", "release", "string", "table", "utf8" } do print(t, names(_G[t])) end
		LUA
        ends_done
        [ "$printed" = '_G _VERSION assert collectgarbage coroutine data error getmetatable ipairs math next pairs params pcall print progress rawequal rawget rawlen rawset release select setmetatable string table tonumber tostring type utf8 xpcall
coroutine	close create isyieldable resume running status wrap yield
data	each names rows schema
math	abs acos asin atan ceil cos deg exp floor fmod huge log max maxinteger min mininteger modf pi rad random randomseed sin sqrt tan tointeger type ult
release	table
string	byte char find format gmatch gsub len lower match pack packsize rep reverse sub unpack upper
table	concat insert move pack remove sort unpack
utf8	char charpattern codepoint codes len offset' ]
        # control: the same search finds these texts in Lua itself
        for text in popen tmpfile getregistry sethook searchpath; do
                grep -qaF "$text" "$(command -v lua5.4)" || ldd "$(command -v lua5.4)" | awk '/lua/ {print $3}' | xargs grep -qaF "$text"
        done
        strip -o "$root/stripped" "$engine"
        for text in popen tmpfile getregistry sethook searchpath; do
                ! strings "$root/stripped" | grep -qx "$text" || false
        done
}

@test "bytecode: cannot be made, loaded or be the script itself" {
        control 'got in' <<<'print(load(string.dump(function() return "got in" end), "x", "b")())'
        fails 1 <<<'print(load("return 1"))'
        fails 1 <<<'print(string.dump(print))'
        fails 1 <<<'local f = ("x").dump print(f(print))'
        echo 'print("got in")' >"$root/source.lua"
        lua5.4 -e "io.open('$root/script.luac', 'wb'):write(string.dump(loadfile('$root/source.lua')))"
        control 'got in' <"$root/script.luac"
        script <"$root/script.luac"
        ends_with syntax-error
        # also behind a comment line, which plain Lua skips
        { echo '#!/usr/bin/lua'; cat "$root/script.luac"; } >"$root/behind"
        run lua5.4 "$root/behind"
        [ "$output" = 'got in' ]
        script <"$root/behind"
        ends_with syntax-error
}

@test "string.rep bombs end with a limit" {
        control '400000000' <<<'print(#("x"):rep(400000000))'
        limited memory-limit <<<'return #("x"):rep(400000000)'
        limited memory-limit <<<'pcall(string.rep, "x", 1 << 40) pcall(string.rep, "x", 1 << 40)'
        limited memory-limit <<<'local s = "x" while true do s = s .. s end'
        limited memory-limit <<<'local s = ("x"):rep(1000, ("y"):rep(100000))'
        limited instruction-limit <<<'while true do pcall(string.rep, "x", 10000000) end'
        script <<<'print(pcall(string.rep, "xx", math.maxinteger))'
        ends_done
        [[ $printed == *"resulting string too large"* ]]
}

@test "pattern backtracking bombs end with a limit, where no hook would reach them" {
        control_hangs <<<'(("a"):rep(40)):find((".-"):rep(40) .. "b")'
        limited instruction-limit <<<'(("a"):rep(40)):find((".-"):rep(40) .. "b")'
        control_hangs <<<'print(#(("a"):rep(40)):gsub((".-"):rep(40) .. "b", ""))'
        limited instruction-limit <<<'print(#(("a"):rep(40)):gsub((".-"):rep(40) .. "b", ""))'
        limited instruction-limit <<<'for x in (("a"):rep(40)):gmatch((".*"):rep(40) .. "b") do end'
        limited instruction-limit <<<'(("a"):rep(40)):match(("a?"):rep(40) .. ("a"):rep(41))'
        limited instruction-limit <<<'pcall(string.find, ("a"):rep(30000), "(a*)%1*(a*)%2b")'
        limited instruction-limit <<<'while true do (("("):rep(100000)):find("%b()") end'
        limited instruction-limit <<<'while true do (("x"):rep(1000000)):find("y", 1, true) end'
        script <<<'print(pcall(string.find, "x", ("a?"):rep(100000)))'
        ends_done
        [[ $printed == *"too complex"* ]]
}

@test "loops inside library functions: a huge length or range is charged for" {
        control_hangs <<<'table.move({}, 1, 1 << 60, 2, {})'
        limited instruction-limit <<<'table.move({}, 1, 1 << 60, 2, {})'
        control_hangs <<<'table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, "x")'
        limited instruction-limit <<<'table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, "x")'
        control_hangs <<<'table.remove(setmetatable({}, { __len = function() return 1 << 60 end }), 1)'
        limited instruction-limit <<<'table.remove(setmetatable({}, { __len = function() return 1 << 60 end }), 1)'
        control_hangs <<<'table.sort(setmetatable({}, { __index = rawlen, __len = function() return (1 << 31) - 2 end }))'
        limited memory-limit <<<'table.sort(setmetatable({}, { __index = rawlen, __len = function() return (1 << 31) - 2 end }))'
        limited memory-limit <<<'table.concat(setmetatable({}, { __index = type }), "", 1, 1 << 60)'
        limited instruction-limit <<<'local t = {} for i = 1, 500000 do t[i] = i end while true do for k in pairs(t) do break end end'
        limited instruction-limit <<<'local t = {} for i = 1, 500000 do t[i] = i end while true do next(t) end'
        limited instruction-limit <<<'local s = ("x"):rep(10000000) while true do s:upper() end'
        limited instruction-limit <<<'while true do ("c10000000"):pack("") end'
        limited instruction-limit <<<'local s = ("%s"):rep(1000000) while true do pcall(string.format, s) end'
        limited instruction-limit <<<'while true do collectgarbage() end'
}

@test "string.format bombs and tricks" {
        control '*99999' <<<'print(#string.format("%99999s" and ("%s"):rep(1000), table.unpack(setmetatable({}, { __index = function() return ("x"):rep(99999) end }), 1, 1000)) // 1000)'
        limited memory-limit <<<'string.format(("%s"):rep(200), table.unpack(setmetatable({}, { __index = function() return ("x"):rep(999999) end }), 1, 200))'
        script <<-'LUA'
		print(pcall(string.format, "%999999d", 1))
		print(pcall(string.format, "%.999f", 1))
		print(pcall(string.format, "%n", 1))
		print(pcall(string.format, "%*d", 5, 1))
		print(pcall(string.format, "%1$s", "x"))
		print(pcall(string.format, "%p", {}))
		print(pcall(string.format, "%s"))
		print(#string.format("%99.99f", -1.7976931348623157e308))
		LUA
        ends_done
        [ "$(grep -c ^false <<<"$printed")" -eq 7 ]
        [ "$(tail -n 1 <<<"$printed")" = 410 ]
}

@test "addresses are not shown, by no way" {
        control 'table: 0x*' <<<'print({})'
        control '0x*' <<<'print(string.format("%p", {}))'
        control 'Mine: 0x*' <<<'print(setmetatable({}, { __name = "Mine" }))'
        dataset d 'a:integer' <<<$'a\n1'
        script <<-'LUA'
		local _, _, _, handle = data.rows("d")
		local values = { {}, print, function() end, coroutine.create(print), setmetatable({}, { __name = "Mine" }), handle, params }
		for _, value in ipairs(values) do
		  print(value, tostring(value), string.format("%s %10s", value, value))
		  print(pcall(error, value), pcall(function() return value .. "" end))
		  print(pcall(function() return value < 1 end), pcall(string.rep, value), pcall(value))
		  print(select(2, pcall(table.concat, { value })), select(2, pcall(ipairs)), select(2, pcall(string.format, "%d", value)))
		end
		LUA
        ends_done
        [ "$(wc -l <<<"$printed")" -ge 28 ]
        ! grep -E '0x[0-9a-f]{4,}' <<<"$printed" || false
        script <<<'error({})'
        [[ $output != *0x* ]]
}

@test "debug library: absent, and upvalues and registry stay out of reach" {
        control 'table' <<<'print(type(debug.getregistry()))'
        fails 1 <<<'print(debug.getregistry())'
        control '1' <<<'local x = 0 local function f() return x end debug.setupvalue(f, 1, 1) print(f())'
        fails 1 <<<'local x = 0 local function f() return x end debug.setupvalue(f, 1, 1) print(f())'
}

@test "metatables of texts cannot be reached, and poisoning 'string' changes no method" {
        control 'poisoned' <<<'getmetatable("").__index = function() return function() return "poisoned" end end print(("x"):rep(3))'
        script <<<'print(getmetatable(""), pcall(function() getmetatable("").__index = 1 end))'
        ends_done
        [[ $printed == "false"*"false"* ]]
        control 'poisoned' <<<'string.rep = function() return "poisoned" end print(("x"):rep(3))'
        script <<<'string.rep = function() return "poisoned" end print(("x"):rep(3)) string = nil print(("x"):upper(), "1" + 1)'
        ends_done
        [ "$printed" = $'xxx\nX\t2' ]
        fails 1 <<<'setmetatable("", {})'
}

@test "metatables of host objects cannot be read, replaced or misused" {
        control 'FILE*' <<<'print(getmetatable(io.stdout).__name)'
        dataset d 'a:integer' <<<$'a\n1\n2'
        script <<-'LUA'
		local step, _, _, handle = data.rows("d")
		print(getmetatable(handle), type(handle))
		print(pcall(setmetatable, handle, {}), pcall(rawset, handle, 1, 1), pcall(function() return handle.x end))
		print(pcall(function() handle.x = 1 end), pcall(function() return #handle end), pcall(handle))
		print(step().a)
		do local closed <close> = handle end
		do local closed <close> = handle end
		print(step(), step())
		local co = coroutine.wrap(function() for row in data.rows("d") do coroutine.yield(row.a) end end)
		print(co())
		co = nil
		collectgarbage()
		print(getmetatable(params), pcall(setmetatable, params, nil))
		LUA
        ends_done
        [ "$(head -n 1 <<<"$printed")" = $'false\tuserdata' ]
        [[ "$(sed -n 2,3p <<<"$printed")" == $'false\tfalse\tfalse\t'*$'\n'$'false\tfalse\tfalse\t'* ]]
        [ "$(sed -n 4,6p <<<"$printed")" = $'1\nnil\n1' ]
        [[ "$(tail -n 1 <<<"$printed")" == $'false\tfalse\t'* ]]
}

@test "a dataset's handle cannot be dressed up as another object" {
        dataset d 'a:integer' <<<$'a\n1'
        script <<-'LUA'
		local _, _, _, handle = data.each("d", { "a" })
		print(pcall(data.rows, handle), pcall(data.each, "d", handle), pcall(release.table, handle))
		print(pcall(data.each, "d", setmetatable({}, { __len = function() return 1 << 60 end })))
		print(pcall(data.each, "d", { {} }), pcall(data.each, "d", setmetatable({ 1 }, { __index = function() error("x") end })))
		LUA
        ends_done
        [ "$(grep -o 'false' <<<"$printed" | wc -l)" -eq 6 ]
}

@test "an endless loop ends, whatever catches errors around it" {
        control_hangs <<<'while true do pcall(function() while true do end end) end'
        limited instruction-limit <<<'while true do end'
        limited instruction-limit <<<'while true do pcall(function() while true do end end) end'
        limited instruction-limit <<<'while true do xpcall(function() while true do end end, function() while true do end end) end'
        limited instruction-limit <<<'local function f() while true do end end while true do coroutine.wrap(function() pcall(f) end)() end'
        limited instruction-limit <<<'while true do coroutine.resume(coroutine.create(function() end)) end'
        limited instruction-limit <<<'goto again ::again:: goto again'
        limited instruction-limit <<<'local t = setmetatable({}, { __index = function(t, k) return t[k] end }) while true do pcall(function() return t.x end) end'
        limited instruction-limit <<<'local function f() return f() end f()'
        limited instruction-limit <<<'for i = 1, math.huge do end'
}

@test "to-be-closed variables and coroutines that are closed do not outlive the limit" {
        control_hangs <<-'LUA'
		local function forever() while true do end end
		local co = coroutine.create(function()
		  local x <close> = setmetatable({}, { __close = forever })
		  forever()
		end)
		coroutine.resume(co)
		coroutine.close(co)
		LUA
        limited instruction-limit <<-'LUA'
		local function forever() while true do end end
		local co = coroutine.create(function()
		  local x <close> = setmetatable({}, { __close = forever })
		  forever()
		end)
		coroutine.resume(co)
		coroutine.close(co)
		LUA
        limited instruction-limit <<-'LUA'
		local x <close> = setmetatable({}, { __close = function() while true do end end })
		error("x")
		LUA
        # many coroutines, each too short for the hook to see
        limited instruction-limit <<-'LUA'
		while true do
		  local co = coroutine.wrap(function() for i = 1, 100 do end end)
		  co()
		end
		LUA
}

@test "finalizers are refused, so the end of a run belongs to the host" {
        control 'finalizer' <<<'setmetatable({}, { __gc = function() print("finalizer") end })'
        fails 1 <<<'setmetatable({}, { __gc = function() print("finalizer") end })'
        control_hangs <<<'local m = { __gc = true } setmetatable({}, m) m.__gc = function() while true do end end'
        fails 1 <<<'local m = { __gc = true } setmetatable({}, m) m.__gc = function() while true do end end'
        # a field that comes later marks nothing, in plain Lua neither
        script <<<'local m = {} setmetatable({}, m) m.__gc = function() print("finalizer") end collectgarbage()'
        ends_done
        [ -z "$printed" ]
        # weak tables are allowed, and going through them while they are emptied is safe
        script <<-'LUA'
		for round = 1, 50 do
		  local t = setmetatable({}, { __mode = "v" })
		  for i = 1, 1000 do t["key " .. i .. ("x"):rep(50)] = { i } end
		  local n = 0
		  for k, v in pairs(t) do n = n + #k collectgarbage("step") end
		end
		LUA
        ends_done
}

@test "memory: hoarding, wide tables, deep tables, many coroutines, long texts" {
        control '2000000' <<<'local t = {} for i = 1, 2000000 do t[i] = { i } end print(#t)'
        limited memory-limit <<<'local t = {} for i = 1, 2000000 do t[i] = { i } end'
        limited memory-limit <<<'local t = {} while true do t = { t } end'
        limited instruction-limit <<<'local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end'
        limited memory-limit <<<'local t = {} while true do pcall(function() t[#t + 1] = ("x"):rep(1000000) .. #t end) end'
        limited memory-limit <<<'local t = {} for i = 1, 1e9 do t["k" .. i] = true end'
        limited memory-limit <<<'table.pack(table.unpack({}, 1, 900000)) table.unpack({}, 1, 999000)
                                 local t = {} for i = 1, 1e9 do t[i] = table.pack(table.unpack({}, 1, 900)) end'
        limited memory-limit <<<'string.pack("c100000000", "")'
        # garbage is no reason to end
        limits '{"instructions": 2000000000, "memory_bytes": 33554432}'
        script <<<'for i = 1, 2000 do local s = ("x"):rep(1000000) .. i end'
        ends_done
}

@test "deep recursion is an error that can be caught, and no crash" {
        local script
        limits '{"instructions": 50000000, "memory_bytes": 134217728}' # a million calls, the most there can be
        for script in \
                'local function f() return 1 + f() end print(pcall(f))' \
                'local function f() return pcall(f) end f() print(pcall(error))' \
                'local t = {} for i = 1, 100000 do t = setmetatable({}, { __index = t }) end print(pcall(function() return t.x end))' \
                'local t = setmetatable({}, {}) getmetatable(t).__index = t print(pcall(function() return t.x end))' \
                'local function f(s) return (s:gsub(".", f)) end print(pcall(f, "a"))' \
                'local t = setmetatable({}, {}) getmetatable(t).__tostring = function(x) return tostring(x) end print(pcall(tostring, t))' \
                'local function f(a, b) table.sort({ 2, 1 }, f) return false end print(pcall(f))' \
                'local function f() return coroutine.wrap(f)() end print(pcall(f))' \
                'local t = setmetatable({}, { __eq = function(a, b) return a == b end }) print(pcall(function() return t == setmetatable({}, getmetatable(t)) end))' \
                'local function f() local x <close> = setmetatable({}, { __close = f }) end print(pcall(f))' \
                'local function f() return xpcall(error, f) end print(pcall(f))'; do
                script <<<"$script"
                echo "$script: status $status, $report, ${output:0:200}"
                ends_done
        done
        # the compiler too
        for open in '(' '{' 'function() return ' '- ' 'a.b[' 'not ' '1 .. ' 'a = '; do
                printf 'return ' >"$root/deep.lua"
                for _ in {1..300}; do printf '%s' "$open$open$open$open$open$open$open$open$open$open"; done >>"$root/deep.lua"
                script <"$root/deep.lua"
                ends_with syntax-error
        done
}

@test "deep data: parameters nested too deep are refused before the script starts" {
        params "{\"a\": $(printf '[%.0s' {1..40})$(printf ']%.0s' {1..40})}"
        script <<<'print(1)'
        ends_with job-error
        printf '{"a":' >"$root/job/params.json"
        printf '[%.0s' {1..100000} >>"$root/job/params.json"
        script <<<'print(1)'
        ends_with job-error
}

@test "integer loops at the edge of the range end where they should" {
        script <<-'LUA'
		local n = 0
		for i = math.maxinteger - 2, math.maxinteger do n = n + 1 end
		for i = math.mininteger + 2, math.mininteger, -1 do n = n + 1 end
		for i = math.maxinteger - 1, math.huge do n = n + 1 end
		for i = 1, math.mininteger do n = n + 1000 end
		for i = math.mininteger, math.maxinteger, math.maxinteger do n = n + 1 end
		print(n, pcall(function() for i = 1, 2, 0 do end end))
		LUA
        ends_done
        [[ $printed == $'11\tfalse\t'*"'for' step is zero" ]]
        limited instruction-limit <<<'for i = math.mininteger, math.maxinteger do end'
}

@test "error objects that are no texts, and that fight back, end the run quietly" {
        control 'called' <<<'print(setmetatable({}, { __tostring = function() return "called" end }))'
        script <<<'error(setmetatable({}, { __tostring = function() print("called") while true do end end }))'
        ends_with runtime-error 1
        [[ $output == *"the error is not a text"* && -z $printed ]]
        for object in nil true '{}' print 'coroutine.create(print)' '12.5' 'setmetatable({}, { __name = "x", __index = error })'; do
                script <<<"error($object)"
                ends_with runtime-error
        done
        script <<<'error("a\0b\27[2J\n\xff")'
        ends_with runtime-error 1
        [[ $output != *$'\e'* && $output == *'\x1b'* ]]
        script <<<'error(("x"):rep(1000000))'
        [ "${#output}" -lt 3000 ]
        script <<<'local ok, e = pcall(error, setmetatable({}, { __tostring = function() return {} end })) print(pcall(tostring, e))'
        ends_done
        [[ $printed == *"must return a string"* ]]
}

@test "order functions that contradict themselves, and tables that change while they are sorted" {
        script <<-'LUA'
		local function list() local t = {} for i = 1, 500 do t[i] = i * 7919 % 503 end return t end
		local t = list() table.sort(t, function() return true end) print(#t)
		t = list() table.sort(t, function(a, b) return math.random() < 0.5 end) print(#t)
		t = list() table.sort(t, function(a, b) t[math.random(500)] = nil return a < b end) print(#t)
		t = list() print(pcall(table.sort, t, function(a, b) error("x") end))
		t = list() t[250] = "x" print(pcall(table.sort, t))
		t = list() print(pcall(table.sort, t, 1))
		local sum = 0
		for k, v in pairs(list()) do sum = sum + v end
		t = list() for k in pairs(t) do t[k] = nil t[k + 1000] = 1 end
		print(sum)
		LUA
        ends_done
        [ "$(head -n 3 <<<"$printed" | tr '\n' ' ')" = '500 500 500 ' ]
}

@test "keys without a fixed order cannot be gone through" {
        fails 1 <<<'for k in pairs({ [{}] = 1 }) do print(k) end'
        fails 1 <<<'print(next({ [print] = 1 }))'
        script <<<'local seen, k = {}, {} seen[k] = true print(seen[k], #seen)'
        ends_done
}

@test "the end of a run says nothing but a rule and a line" {
        dataset d 'name:text' <<<$'name\nsecret'
        script <<<'for row in data.rows("d") do error(row.name) end'
        ends_with runtime-error 1
        ! grep secret "$root/report" || false
        script <<<'for row in data.rows("d") do progress(0.5, row.name) end'
        ends_with runtime-error 1
        ! grep secret "$root/report" || false
        script <<<'for row in data.rows("d") do release.table { name = row.name, columns = { { name = row.name, type = row.name } } } end'
        ends_with release-error 1
        ! grep secret "$root/report" || false
}
