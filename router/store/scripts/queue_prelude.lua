-- Put before the scripts of look-ups, behind prelude.lua and the numbers of router/store/scripts/__init__.py.
-- KEYS[1..11]: what keys.py's queue() gives.
--
-- A lane is one integration of a tenant. Its waiting jobs stand in a sorted set by the moment of their newest
-- question, those in workers' hands in another by the moment they were handed out. A tenant's lanes stand in a
-- sorted set by their last turn, and the tenants with lanes that may be served in a ring. A tenant that has only
-- lanes which must wait (for requests per second, for look-ups in flight to end, for a CRM that asked for it) is
-- off the ring and stands in LATER with the moment at which it is worth another look.
--
-- What a lane has spent and how its CRM fares is a hash: `t` when the next request would be due if all came evenly,
-- `z` paused until then; `f` failures in a row, `y` the last one's problem, `s` open since, `o` tried again at
-- (0: closed), `n` openings in a row, `p` the probe and `q` its end, `w` the window's begin, `a` asked and `b`
-- failed in it. router/core/breakers.py and allowances.py say what it all means.

local READY, RINGED, LATER, QUEUED, JOBS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local function whole(number)
  return string.format('%.0f', number)
end

local function lanes_key(tenant)
  return KEYS[6] .. tenant
end

local function waiting_key(tenant, lane)
  return KEYS[7] .. tenant .. ':' .. lane
end

local function held_key(tenant, lane)
  return KEYS[8] .. tenant .. ':' .. lane
end

local function state_key(tenant, lane)
  return KEYS[9] .. tenant .. ':' .. lane
end

local function waiters_key(tenant, digest)
  return KEYS[10] .. tenant .. ':' .. digest
end

local function cache_key(tenant, digest)
  return KEYS[11] .. tenant .. ':' .. digest
end

-- A flight is a hash: field '' names the job that carries it and that job's deadline, every other field is a
-- waiter and its value that waiter's deadline.
local function flight_head(flight_key)
  local head = redis.call('HGET', flight_key, '')
  if not head then
    return nil, 0
  end
  local id, deadline = string.match(head, '^(%S+) (%d+)$')
  return id, tonumber(deadline) or 0
end

local function ring(tenant)
  if redis.call('SADD', RINGED, tenant) == 1 then
    redis.call('RPUSH', READY, tenant)
  end
end

-- A job as it is kept; nil when it is gone, or not ours.
local function read_job(tenant, id)
  local packed = redis.call('HGET', JOBS, tenant .. ' ' .. id)
  if not packed then
    return nil
  end
  local is_ours, fields = pcall(cmsgpack.unpack, packed)
  if not is_ours or type(fields) ~= 'table' or #fields ~= 7 or type(fields[2]) ~= 'string'
    or type(fields[3]) ~= 'number' then
    return nil
  end
  return {
    job = fields[1], digest = fields[2], deadline = fields[3], first_waiter = fields[4],
    in_flight = tonumber(fields[5]) or 1, interval = tonumber(fields[6]) or 0, cost = tonumber(fields[7]) or 1,
  }
end

-- Forget a job, wherever it stands; false when it was forgotten already.
local function drop_job(tenant, lane, id)
  redis.call('ZREM', waiting_key(tenant, lane), id)
  redis.call('ZREM', held_key(tenant, lane), id)
  local field = tenant .. ' ' .. id
  if redis.call('HDEL', JOBS, field, field .. '+') == 0 then
    return false
  end
  if redis.call('HINCRBY', QUEUED, tenant, -1) <= 0 then
    redis.call('HDEL', QUEUED, tenant)
  end
  return true
end

-- The waiters of a job that nobody will look up, which is forgotten with its flight.
local function dismiss(tenant, lane, id, digest)
  drop_job(tenant, lane, id)
  local waiters = {}
  if digest then
    local flight = waiters_key(tenant, digest)
    if flight_head(flight) == id then
      for _, waiter in ipairs(redis.call('HKEYS', flight)) do
        if waiter ~= '' then
          waiters[#waiters + 1] = waiter
        end
      end
      redis.call('DEL', flight)
    end
  end
  return waiters
end

-- When the last of a job's waiters goes; 0 when its question is settled already.
local function last_deadline(tenant, id, job)
  local flight_key = waiters_key(tenant, job.digest)
  if flight_head(flight_key) ~= id then
    return 0
  end
  local deadline = job.deadline
  local flight = redis.call('HGETALL', flight_key)
  for i = 1, #flight, 2 do
    if flight[i] ~= '' then
      deadline = math.max(deadline, tonumber(flight[i + 1]) or 0)
    end
  end
  return deadline
end

local function read_state(key)
  local raw = redis.call('HMGET', key, 't', 'z', 'f', 'o', 'n', 'p', 'q', 'w', 'a', 'b')
  return {
    due = tonumber(raw[1]) or 0, paused = tonumber(raw[2]) or 0, failures = tonumber(raw[3]) or 0,
    retry = tonumber(raw[4]) or 0, openings = tonumber(raw[5]) or 0, probe = raw[6] or '',
    probe_until = tonumber(raw[7]) or 0, window = tonumber(raw[8]) or 0, asked = tonumber(raw[9]) or 0,
    failed = tonumber(raw[10]) or 0,
  }
end

local function keep_state(key, ...)
  redis.call('HSET', key, ...)
  redis.call('PEXPIRE', key, STATE_MS)
end

-- Why a job may not be looked up: {why, failures, ms to wait}; nil where it may. `until_ms` is when nobody waits
-- for it any longer; `id` is '' for a job that is only to be made.
local function refusal(state, now, until_ms, id)
  if state.retry > 0 and (id == '' or state.probe ~= id) then
    if now < state.retry then
      return {'open', state.failures, state.retry - now}
    end
    if now < state.probe_until then
      return {'probing', state.failures, 0}
    end
  end
  if state.paused > now and state.paused >= until_ms - HOPELESS_MS then
    return {'paused', 0, state.paused - now}
  end
  return nil
end

-- Tenants whose lanes had to wait, and need no longer.
local function wake_due(now, most)
  for _, tenant in ipairs(redis.call('ZRANGEBYSCORE', LATER, '-inf', whole(now), 'LIMIT', 0, most)) do
    redis.call('ZREM', LATER, tenant)
    ring(tenant)
  end
end

local function become_probe(key, state, id, deadline)
  state.probe, state.probe_until = id, deadline + PROBE_SLACK_MS
  keep_state(key, 'p', id, 'q', whole(state.probe_until))
end

-- When one more look-up of this job's kind may begin; 0: at once.
local function due_at(state, job, now)
  local burst = math.max(job.cost, math.ceil(BURST_MS / math.max(job.interval, 0.001)))
  local at = state.paused
  if job.interval > 0 then
    at = math.max(at, state.due - (burst - job.cost) * job.interval)
  end
  return at > now and at or 0
end

local function spend(key, state, interval, requests, now)
  if interval <= 0 or requests == 0 then
    return
  end
  local from = requests > 0 and math.max(state.due, now) or state.due
  state.due = from + requests * interval
  keep_state(key, 't', string.format('%.3f', state.due))
end

-- The oldest waiting job and its newest question's moment, or nil.
local function oldest(tenant, lane)
  local first = redis.call('ZRANGE', waiting_key(tenant, lane), 0, 0, 'WITHSCORES')
  return first[1], tonumber(first[2])
end

-- What a script has made of a breaker, for the worker's log: 'opened', 'closed' or ''.
local turned = ''

local function open_breaker(key, state, now)
  local kept = math.min(OPEN_FIRST_MS * 2 ^ math.min(state.openings, 10), OPEN_MOST_MS)
  -- Redis' own random numbers are the same each time.
  local jitter = 1 - JITTER + 2 * JITTER * (redis.call('TIME')[2] % 1000) / 1000
  if state.retry == 0 then
    redis.call('HSET', key, 's', whole(now))
    turned = 'opened'
  end
  keep_state(key, 'o', whole(now + kept * jitter), 'n', state.openings + 1)
  redis.call('HDEL', key, 'p', 'q')
end

-- Also forgets the failures of a CRM that has long been well.
local function close_breaker(key)
  redis.call('HDEL', key, 'f', 'y', 's', 'o', 'n', 'p', 'q', 'w', 'a', 'b')
end

local function note_failure(key, state, id, now, problem, is_in_row)
  local is_probe = state.retry > 0 and state.probe == id
  state.failures = (is_in_row or state.retry > 0) and state.failures + 1 or 0
  keep_state(key, 'f', state.failures, 'y', problem)
  if is_probe then
    return open_breaker(key, state, now)
  elseif state.retry > 0 then
    return
  end
  if state.window == 0 or now - state.window > WINDOW_MS then
    state.window, state.asked, state.failed = now, 0, 0
  end
  state.asked, state.failed = state.asked + 1, state.failed + 1
  redis.call('HSET', key, 'w', whole(state.window), 'a', state.asked, 'b', state.failed)
  if state.failures >= FAILURES_MOST then
    open_breaker(key, state, now)
  elseif state.asked >= WINDOW_LEAST and state.failed >= state.asked * SHARE_MOST then
    redis.call('HSET', key, 'f', state.failed)
    open_breaker(key, state, now)
  end
end

-- What a job that has ended tells of its CRM.
local function note_health(key, state, id, health, now, problem)
  local is_probe = state.retry > 0 and state.probe == id
  if health == 'unwell' or health == 'slow' then
    note_failure(key, state, id, now, problem, health == 'unwell')
  elseif is_probe and health == 'well' then
    close_breaker(key)
    turned = 'closed'
  elseif is_probe then
    redis.call('HDEL', key, 'p', 'q')
  elseif health == 'well' and state.retry == 0 and state.window > 0 then
    if now - state.window > WINDOW_MS then
      close_breaker(key)
    else
      redis.call('HSET', key, 'f', 0, 'a', state.asked + 1)
    end
  end
end
