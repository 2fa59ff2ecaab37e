-- Prepended to every script.
--
-- KEYS (the same twelve for every script, all with the job's hash tag; see keys.go):
--   1 job       hash    spec, state, phase, stage, maps, reduces, cursors, counts, times, error
--   2 run       hash    attempt name -> "EXECUTOR CLAIMED_MS PERMILLE MOVED_MS"; one entry per
--                       running attempt; MOVED_MS is its last progress that Redis knows of
--   3 retry:m   zset    map tasks to be claimed again -> time (ms) from which they may be claimed
--   4 retry:r   zset    the same for reduce tasks
--   5 att       hash    task -> its highest attempt number; only tasks tried more than once
--   6 fails     hash    "TASK:CLASS" -> number of failures of that class; "TASK:counted" -> 1 for a
--                       task that is done again after its counters were added; "TASK:shun" ->
--                       "EXECUTOR UNTIL_MS": where it failed last, and until when others take it
--   7 done:m    hash    index -> "NUMBER EXECUTOR CLAIMED_MS ENDED_MS MANIFEST" of the committed attempt
--   8 done:r    hash    the same for reduce tasks
--   9 counters  hash    counter -> sum over committed attempts
--  10 errors    list    JSON of the newest failures, at most 200
--  11 events    stream  what happened, at most about 1,000 entries
--  12 void      list    "ATTEMPT CLAIMED_MS" of attempts that ended without a commit, at most 10,000:
--                       everything that they wrote is garbage
-- Leases are the keys KEYS[1]:lease:ATTEMPT, strings with a TTL. A claim cannot know their names
-- beforehand, but they have the job's hash tag, so they are in the same slot.
local JOB, RUN, ATT, FAILS = KEYS[1], KEYS[2], KEYS[5], KEYS[6]
local RETRY = {m = KEYS[3], r = KEYS[4]}
local DONE = {m = KEYS[7], r = KEYS[8]}
local COUNTERS, ERRORS, EVENTS, VOID = KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local NEXT = {m = 'mapnext', r = 'rednext'}
local TOTAL = {m = 'maps', r = 'reduces'}
local COUNT = {m = 'mapdone', r = 'reddone'}
local SPENT = {m = 'mapspent', r = 'redspent'} -- sum of the times from claim to commit (ms)
local FAILED = {m = 'mapfail', r = 'redfail'}
local CLAIMS = {m = 'mapclaims', r = 'redclaims'} -- claimed attempts of all tasks
local LOST = {m = 'maplost', r = 'redlost'} -- failed attempts whose executors went silent
local BACKUPS = {m = 'mapbackups', r = 'redbackups'} -- attempts that were started beside another one

local call = redis.call

-- Returns the time of the server's clock, in ms. Clients' clocks decide nothing.
local function now()
  local t = call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local function ms(t) return string.format('%.0f', t) end

local function lease(attempt) return JOB .. ':lease:' .. attempt end

local function num(field) return tonumber(call('HGET', JOB, field) or '0') end

-- Moves the job to a phase. Each stay in a phase has a number, its stage, which differs from earlier
-- stays in the same phase, even if Redis has lost data since: hence the clock in it.
local function enter(phase)
  call('HSET', JOB, 'phase', phase, 'stage', ms(math.max(num('stage') + 1, now())))
end

-- Reports whether the job is in this stage. '0' matches any stage.
local function current(stage) return stage == '0' or call('HGET', JOB, 'stage') == stage end

local function event(kind, text)
  call('XADD', EVENTS, 'MAXLEN', '~', '1000', '*', 'kind', kind, 'text', text)
end

-- Returns the executor that runs the attempt and the time of its claim, or nil if it is not running.
local function owner(attempt)
  local entry = call('HGET', RUN, attempt)
  if entry then return string.match(entry, '^(%S+) (%S+) ') end
end

-- Reports whether this executor runs the attempt under this claim.
local function holds(attempt, executor, claimed)
  local who, at = owner(attempt)
  return who == executor and at == claimed
end

local function drop(attempt)
  call('HDEL', RUN, attempt)
  call('DEL', lease(attempt))
end

-- Ends an attempt that has no result.
local function void(attempt)
  local _, claimed = owner(attempt)
  call('RPUSH', VOID, attempt .. ' ' .. claimed)
  call('LTRIM', VOID, -10000, -1)
  drop(attempt)
end

-- Returns a failure's JSON without its long parts, for the events, of which five times as many are
-- kept as of errors.
local function brief(err)
  local f = cjson.decode(err)
  f.detail, f.record, f.log = nil, nil, nil
  return cjson.encode(f)
end

-- Ends the job. Every running attempt loses its entry and its lease.
local function end_job(state, err)
  for _, attempt in ipairs(call('HKEYS', RUN)) do void(attempt) end
  call('DEL', RETRY.m, RETRY.r)
  call('HSET', JOB, 'state', state, 'error', err, 'ended', ms(now()))
  enter('cleanup')
  event(state, brief(err))
end

-- Returns the highest attempt number of a task that has been claimed.
local function highest(side, index)
  return tonumber(call('HGET', ATT, side .. index) or '1')
end

-- Makes a task claimable from time `at` on. The number of its last attempt is kept, so that the next
-- one gets a higher number.
local function enqueue(side, index, number, at)
  if highest(side, index) <= number then call('HSET', ATT, side .. index, number) end
  call('ZADD', RETRY[side], ms(at), index)
end

-- Reports whether another attempt at the task is running.
local function rival(side, index, number)
  for n = 1, highest(side, index) do
    if n ~= number and call('HEXISTS', RUN, side .. index .. '.' .. n) == 1 then return true end
  end
  return false
end

-- Makes the task of an ended attempt claimable again, unless another attempt at it is running.
local function requeue(side, index, number, at)
  if not rival(side, index, number) then enqueue(side, index, number, at) end
end

-- Counts a failure. Returns true if this exceeded the limit and failed the job.
local function failed(side, index, class, err, limit)
  call('HINCRBY', JOB, FAILED[side], 1)
  if class == 'lost' then call('HINCRBY', JOB, LOST[side], 1) end
  call('RPUSH', ERRORS, err)
  call('LTRIM', ERRORS, -200, -1)
  event('attempt failed', brief(err))
  local n = call('HINCRBY', FAILS, side .. index .. ':' .. class, 1)
  if n < tonumber(limit) then return false end
  end_job('FAILED', err)
  return true
end

-- Returns the number of tasks that may be claimed now.
local function ready(side, at)
  return num(TOTAL[side]) - num(NEXT[side]) + call('ZCOUNT', RETRY[side], '-inf', ms(at))
end

-- Returns the phase that follows from the counts, once tasks run.
local function advance()
  local phase = call('HGET', JOB, 'phase')
  local to
  if num('mapdone') < num('maps') then to = 'map'
  elseif num('reddone') < num('reduces') then to = 'reduce'
  else to = 'publish' end
  if to == phase then return phase end
  enter(to)
  call('HSETNX', JOB, to .. 'at', ms(now()))
  if to == 'map' then call('HSET', JOB, 'state', 'MAPPING')
  elseif to == 'reduce' then
    -- An epoch is one set of committed maps. The clock in it distinguishes two epochs even if Redis
    -- has lost its last writes and numbers are used again.
    call('HSET', JOB, 'state', 'REDUCING', 'epoch', ms(math.max(num('epoch') + 1, now())))
  end
  event('phase', to)
  return to
end
