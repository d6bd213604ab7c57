-- Default rate of loan applicants by group: the share whose status is "bad".
--
-- Parameter `by`: the columns that make the groups, one to three of "job",
-- "home", "marital" and "records". Without it: job and home. Applicants of whom one
-- of these is not known are left out.

local by = params.by or { "job", "home" }

local columns = { "status" }
for i, name in ipairs(by) do
  columns[i + 1] = name
end

-- groups["fixed\0owner"] = { job = "fixed", home = "owner", applicants = 12, bad = 3 }
local groups = {}

local total = 4454 -- only for the progress shown

local function count(status, ...)
  for i = 1, #by do
    if select(i, ...) == nil then
      return
    end
  end
  local key = table.concat({ ... }, "\0")
  local group = groups[key]
  if not group then
    group = { applicants = 0, bad = 0 }
    for i = 1, #by do
      group[by[i]] = select(i, ...)
    end
    groups[key] = group
  end
  group.applicants = group.applicants + 1
  if status == "bad" then
    group.bad = group.bad + 1
  end
end

for row, status, first, second, third in data.each("credit", columns) do
  count(status, first, second, third)
  if row % 500 == 0 then
    progress(row / total)
  end
end

local rows = {}
for _, group in pairs(groups) do
  group.default_rate = group.bad / group.applicants
  group.bad = nil
  rows[#rows + 1] = group
end

local description = {}
for i, name in ipairs(by) do
  description[i] = { name = name, type = "text", role = "key" }
end
description[#description + 1] = { name = "applicants", type = "integer", role = "count" }
description[#description + 1] = { name = "default_rate", type = "decimal", role = "value", unit = "0.001" }

release.table { name = "default-rate", columns = description, rows = rows }
progress(1)
