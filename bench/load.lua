-- Requests of one leg for wrk, and a look at every answer.
-- Arguments: the Lua file with the requests, made by load.py, and the file to write the outcome to.

local workers = {}

function setup(thread)
  workers[#workers + 1] = thread
end

function init(arguments)
  local leg = dofile(arguments[1])
  outcome_file = arguments[2]
  prepared = {}
  for index, body in ipairs(leg.bodies) do
    prepared[index] = wrk.format("POST", leg.path, leg.headers, body)
  end
  must_hold = leg.must_hold
  must_not_hold = leg.must_not_hold
  exact_length = leg.exact_length
  wrong, first_wrong, turn = 0, "", 0
end

function request()
  turn = turn % #prepared + 1
  return prepared[turn]
end

local function is_right(status, body)
  if status ~= 200 then return false end
  if exact_length then return #body == exact_length end
  for _, text in ipairs(must_hold) do
    if not body:find(text, 1, true) then return false end
  end
  for _, text in ipairs(must_not_hold) do
    if body:find(text, 1, true) then return false end
  end
  return true
end

function response(status, _, body)
  if is_right(status, body) then return end
  wrong = wrong + 1
  if wrong == 1 then first_wrong = status .. " " .. body:sub(1, 200) end
end

function done(summary, latency)
  local wrong_total, sample = 0, ""
  local path
  for _, worker in ipairs(workers) do
    wrong_total = wrong_total + worker:get("wrong")
    if sample == "" then sample = worker:get("first_wrong") end
    path = worker:get("outcome_file")
  end
  local failures = summary.errors
  local file = assert(io.open(path, "w"))
  file:write(string.format(
    '{"answers": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, "wrong": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, wrong_total,
    failures.connect + failures.read + failures.write + failures.timeout))
  file:write(sample:gsub("[\r\n]", " "), "\n")
  file:close()
end
