-- Our pattern functions (`string`) against Lua's own (`oracle`), on random patterns and subjects.
-- Returns how many cases were compared and how many of them matched something.

local pieces = {
  "a", "b", "c", ".", "%a", "%d", "%s", "%w", "%W", "%A", "%p", "%x", "%u", "%l", "%g", "%c", "%z", "%%", "%.", "%-",
  "[abc]", "[^ab]", "[a-c]", "[%d]", "[%a-]", "[]]", "[^]]", "[a-]", "[%]a]", "[^%s,]", "[0-9a-b]", "[a%-c]", "[+--]",
  "[b-a]", "[%w_]", "[^%a%d]", "[a-%z]",
  "(", ")", "()", "%1", "%2", "%bab", "%b()", "%f[a]", "%f[%w]", "%f[^%z]", "^", "$", "-", "\0", "]", "%0", "%", "[", "%b", "%f",
}
local suffixes = { "", "", "", "*", "+", "-", "?" }
local letters = { "a", "b", "c", "a", "b", "1", "2", " ", "(", ")", "-", "]", "%", ",", "A", "\0", "\xe9", "_", "+", "^", "$", "." }

local function make(from, most, suffix)
  local parts = {}
  for i = 1, math.random(0, most) do
    parts[i] = from[math.random(#from)] .. (suffix and suffix[math.random(#suffix)] or "")
  end
  return table.concat(parts)
end

local function show(...)
  local parts = table.pack(...)
  for i = 1, parts.n do
    parts[i] = string.format("%q", parts[i])
  end
  return table.concat(parts, " ")
end

local function collect(matches)
  local list = {}
  for a, b, c in matches do
    list[#list + 1] = show(a, b, c)
  end
  return table.concat(list, "; ")
end

local templates = { "<%0>", "%1%1", "x", "", "%%", "[%2]", "%", "%9" }

local function replace(library, subject, pattern, n)
  return library.gsub(subject, pattern, templates[n % #templates + 1], n % 3 == 0 and n % 5 or nil)
end

local function replace_by_function(library, subject, pattern, n)
  return library.gsub(subject, pattern, function(a)
    return n % 2 == 0 and show(a) or nil
  end)
end

local functions = {
  find = function(library, subject, pattern, n)
    return show(library.find(subject, pattern, n % 7 - 3))
  end,
  plain = function(library, subject, pattern, n)
    return show(library.find(subject, pattern, n % 7 - 3, true))
  end,
  match = function(library, subject, pattern, n)
    return show(library.match(subject, pattern, n % 5 - 2))
  end,
  gmatch = function(library, subject, pattern, n)
    return collect(library.gmatch(subject, pattern, n % 4 == 0 and n % 9 or nil))
  end,
  gsub = function(library, subject, pattern, n)
    return show(replace(library, subject, pattern, n))
  end,
  ["gsub with a function"] = function(library, subject, pattern, n)
    return show(replace_by_function(library, subject, pattern, n))
  end,
}

-- What of Lua's message belongs to the pattern: ours is found at once, Lua's only where matching gets to it.
local malformed = {
  "malformed pattern", "missing '%['", "invalid pattern capture", "unfinished capture", "invalid capture index",
  "pattern too complex", "too many captures",
}
local function is_malformed(message)
  for _, start in ipairs(malformed) do
    if oracle.find(message, start) then
      return true
    end
  end
  return false
end

local compared, matched, refused = 0, 0, 0
math.randomseed(20261125)
for n = 1, 60000 do
  local pattern = make(pieces, 6, suffixes)
  if n % 11 == 0 then
    pattern = "^" .. pattern
  end
  local subject = make(letters, 12)
  for name, call in pairs(functions) do
    local ok, ours = pcall(call, string, subject, pattern, n)
    local fine, theirs = pcall(call, oracle, subject, pattern, n)
    if ok and fine then
      compared = compared + 1
      if theirs ~= "nil" and theirs ~= "" then
        matched = matched + 1
      end
      if ours ~= theirs then
        error(string.format("%s(%q, %q), case %d: %s, but Lua says %s", name, subject, pattern, n, ours, theirs))
      end
    elseif ok then
      error(string.format("%s(%q, %q), case %d: %s, but Lua says %s", name, subject, pattern, n, ours, theirs))
    else
      refused = refused + 1
      if fine and not is_malformed(ours) then
        error(string.format("%s(%q, %q), case %d: %s, but Lua says %s", name, subject, pattern, n, ours, theirs))
      end
    end
  end
end
return compared, matched, refused
