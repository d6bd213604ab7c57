-- Our string.format, string.rep and table functions against Lua's own (`oracle`, `oracle_table`).

local cases = 0

local function show(value)
  if type(value) == "function" then
    return "function"
  elseif type(value) ~= "table" then
    return math.type(value) == "float" and value ~= value and "nan" or string.format("%q", value)
  end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = show(key) .. "=" .. show(item)
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- Calls both with copies of the same arguments; results, changed arguments and success must agree.
local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local new = {}
  for key, item in pairs(value) do
    new[key] = copy(item)
  end
  return new
end

local function same(name, ours, theirs, ...)
  local results = {}
  for i, call in ipairs({ ours, theirs }) do
    local arguments = table.pack(...)
    for k = 1, arguments.n do
      arguments[k] = copy(arguments[k])
    end
    local back = table.pack(pcall(call, table.unpack(arguments, 1, arguments.n)))
    if not back[1] then
      back = { false }
    end
    arguments.n = nil
    results[i] = show(back) .. " " .. show(arguments)
  end
  cases = cases + 1
  if results[1] ~= results[2] then
    error(name .. show({ ... }) .. ": " .. results[1] .. ", but Lua gives " .. results[2])
  end
end

-- format
local values = {
  0, 1, -1, 255, 3.0, 0.1, -2.5, 1e300, 1e-300, 1 / 0, -1 / 0, math.mininteger, math.maxinteger, "", "abc", "12", "0x10",
  "tab\tnul\0 1 \r\n\"\\", ("x"):rep(150), true, false,
}
local flags = { "", "-", "+", " ", "#", "0", "5", "-8", "08", ".3", "10.2", "+.0", "-+# 012.5", ".99", "99.99", "100", ".100" }
for letter in ("diuoxXcaAeEfFgGsqpz%"):gmatch(".") do
  for _, flag in ipairs(flags) do
    for _, value in ipairs(values) do
      if not (letter == "p" or letter == "c" and type(value) == "number") then
        same("format", string.format, oracle.format, "<%" .. flag .. letter .. ">", value)
      end
    end
  end
end
for _, form in ipairs({ "%", "%5", "%d %d", "%%", "", "%y", "%s\0%s", "%.", "% -+#05s" }) do
  same("format", string.format, oracle.format, form, 1)
end
assert(string.format("%c%c", 65, 0) == "A\0")
assert(not pcall(string.format, "%p", {}))

-- rep
for _, count in ipairs({ -1, 0, 1, 2, 7 }) do
  for _, text in ipairs({ "", "a", "ab\0" }) do
    same("rep", string.rep, oracle.rep, text, count)
    same("rep", string.rep, oracle.rep, text, count, ", ")
  end
end
same("rep", string.rep, oracle.rep, "ab", math.maxinteger)

-- table
math.randomseed(1)
local function numbers(most)
  local list = {}
  for i = 1, math.random(0, most) do
    list[i] = math.random(20)
  end
  return list
end
for _ = 1, 300 do
  local list = numbers(8)
  same("insert", table.insert, oracle_table.insert, list, math.random(-1, 10), "x")
  same("insert", table.insert, oracle_table.insert, list, "x")
  same("insert", table.insert, oracle_table.insert, list)
  same("remove", table.remove, oracle_table.remove, list)
  same("remove", table.remove, oracle_table.remove, list, math.random(-1, 10))
  same("concat", table.concat, oracle_table.concat, list, ";", math.random(-1, 4), math.random(-1, 10))
  same("concat", table.concat, oracle_table.concat, list)
  same("unpack", table.unpack, oracle_table.unpack, list, math.random(-1, 4), math.random(-1, 10))
  same("move", table.move, oracle_table.move, list, math.random(1, 4), math.random(0, 8), math.random(-2, 9))
  same("move", table.move, oracle_table.move, list, math.random(1, 4), math.random(0, 8), math.random(1, 9), numbers(5))
  same("sort", table.sort, oracle_table.sort, numbers(200))
  same("sort", table.sort, oracle_table.sort, numbers(50), function(a, b)
    return a > b
  end)
end
same("pack", table.pack, oracle_table.pack, 1, nil, 3, nil)
same("concat", table.concat, oracle_table.concat, { 1, {}, 3 })
same("sort", table.sort, oracle_table.sort, { 1, "x" })
same("unpack", table.unpack, oracle_table.unpack, {}, 1, 1e9)
same("move", table.move, oracle_table.move, {}, math.mininteger, math.maxinteger, 1)
same("move", table.move, oracle_table.move, {}, 1, math.maxinteger, 2)

-- stable, which Lua's is not
local pairs_list = {}
for i = 1, 1000 do
  pairs_list[i] = { key = i % 10, at = i }
end
table.sort(pairs_list, function(a, b)
  return a.key < b.key
end)
for i = 2, 1000 do
  local a, b = pairs_list[i - 1], pairs_list[i]
  assert(a.key < b.key or a.key == b.key and a.at < b.at)
end
return cases
