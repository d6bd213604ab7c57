-- A script that misbehaves, to be seen failing: parameter `attack` says how.
--
-- An attack that finds its door shut ends the run with a runtime error in the
-- line where it stands; a bomb ends it with a limit.

local attacks = {}

function attacks.io()
  return io.open("/etc/passwd"):read("a")
end

function attacks.os()
  return os.execute("id")
end

function attacks.load()
  return load("\27Lua")()
end

function attacks.require()
  return require("socket")
end

function attacks.debug()
  return debug.getregistry()
end

function attacks.bytecode()
  return load(string.dump(function() end))
end

attacks["string-bomb"] = function()
  return ("x"):rep(1 << 40)
end

attacks["pattern-bomb"] = function()
  return (("a"):rep(200)):find((".-"):rep(200) .. "b")
end

attacks["endless-loop"] = function()
  while true do
    pcall(function()
      while true do
      end
    end)
  end
end

function attacks.memory()
  local hoard = {}
  for i = 1, math.maxinteger do
    hoard[i] = { i }
  end
end

function attacks.recursion()
  return 1 + attacks.recursion()
end

-- What the data hold does not leave by the message of an error: it goes to the operator.
function attacks.message()
  for row in data.rows("credit") do
    error(row.applicant_id)
  end
end

local attack = attacks[params.attack]
if not attack then
  error("no such attack")
end
attack()
error("the attack worked")
