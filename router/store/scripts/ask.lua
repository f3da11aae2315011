-- A router's question: the cached answer, a place in the flight that brings one, or why none is to be brought.
-- ARGV: job, waiter, budget ms, fresh ms, digest, tenant, lane, jobs kept of a tenant, of the shard, slack ms,
--   look-ups in flight, ms between requests, requests of a look-up
-- Returns {state, cached value or '', age in ms, why, failures, ms to wait, waiters of a job that made room}

local job, waiter = ARGV[1], ARGV[2]
local budget, fresh = tonumber(ARGV[3]), tonumber(ARGV[4])
local digest, tenant, lane = ARGV[5], ARGV[6], ARGV[7]
local kept, shard_kept, slack = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])

local cache, flight, state_name = cache_key(tenant, digest), waiters_key(tenant, digest), state_key(tenant, lane)
local now = now_ms()
local deadline = now + budget

local value = redis.call('GET', cache)
local age = 0
if value and #value > 5 then
  -- The value opens with a letter and the milliseconds it was kept for: its age needs no clock.
  local kind, kept_for = struct.unpack('>c1I4', value)
  age = math.max(0, kept_for - redis.call('PTTL', cache))
  if kind == 'a' or age < fresh then
    return {'fresh', value, age, '', 0, 0, {}}
  end
else
  value = nil
end

local flying_id, flying_until = flight_head(flight)
local is_flying = flying_id ~= nil and now <= flying_until + slack
local state = read_state(state_name)
local refused = refusal(state, now, deadline, is_flying and flying_id or '')
-- What is under way may be joined, for it asks nothing more; but one that the CRM has no answer for helps nobody.
if refused and not (is_flying and refused[1] == 'paused') then
  return {value and 'stale' or 'refused', value or '', age, refused[1], refused[2], refused[3], {}}
end

local function queue_of(other)
  return tonumber(redis.call('HGET', QUEUED, other)) or 0
end

-- Of a shard that is full the tenant with the longest queue gives way; it is looked for among a few, by chance.
local function longest_queue()
  local named, longest = nil, queue_of(tenant)
  local some = redis.call('HRANDFIELD', QUEUED, 32, 'WITHVALUES')
  for i = 1, #some, 2 do
    if tonumber(some[i + 1]) > longest then
      named, longest = some[i], tonumber(some[i + 1])
    end
  end
  return named or tenant
end

local function shed(victim, victims_lane)
  local id = oldest(victim, victims_lane)
  if not id then
    return nil
  end
  local old = read_job(victim, id)
  return dismiss(victim, victims_lane, id, old and old.digest)
end

-- The newest call is served first, so a full queue loses its oldest job: nil where it has none that waits.
local function room()
  if queue_of(tenant) >= kept then
    return shed(tenant, lane)
  end
  if redis.call('HLEN', JOBS) < shard_kept then
    return {}
  end
  local victim = longest_queue()
  for _, other in ipairs(redis.call('ZRANGE', lanes_key(victim), 0, 15)) do
    local waiters = shed(victim, other)
    if waiters then
      return waiters
    end
  end
  return nil
end

local function enqueue(first_waiter)
  local time = redis.call('TIME')
  local id = whole(time[1] * 1000000 + time[2]) .. '-' .. string.sub(digest, 1, 8)
  local entry = cmsgpack.pack({job, digest, deadline, first_waiter, tonumber(ARGV[11]), tonumber(ARGV[12]),
    tonumber(ARGV[13])})
  redis.call('HSET', JOBS, tenant .. ' ' .. id, entry)
  redis.call('HINCRBY', QUEUED, tenant, 1)
  redis.call('ZADD', waiting_key(tenant, lane), whole(now), id)
  redis.call('ZADD', lanes_key(tenant), 'NX', 0, lane)
  redis.call('HSET', flight, '', id .. ' ' .. whole(deadline))
  for _, key in ipairs({JOBS, QUEUED, waiting_key(tenant, lane), lanes_key(tenant)}) do
    redis.call('PEXPIRE', key, STATE_MS)
  end
  -- A tenant that waits for later has been looked at: its lanes with jobs have no room, and one more changes nothing.
  if redis.call('ZCARD', waiting_key(tenant, lane)) == 1 or not redis.call('ZSCORE', LATER, tenant) then
    ring(tenant)
  end
  if state.retry > 0 then
    become_probe(state_name, state, id, deadline)
  end
end

local function keep_flight()
  if redis.call('PTTL', flight) < budget + slack then
    redis.call('PEXPIRE', flight, budget + slack)
  end
end

if value then
  local _, since = oldest(tenant, lane)
  local is_behind = since and now - since > BEHIND_MS
  local has_room = queue_of(tenant) < kept and redis.call('HLEN', JOBS) < shard_kept
  if not is_flying and not is_behind and has_room then
    enqueue('')
    keep_flight()
  end
  return {'stale', value, age, '', 0, 0, {}}
end

if is_flying then
  if redis.call('HLEN', flight) > WAITERS_MOST then
    return {'overloaded', '', 0, 'crowded', 0, 0, {}}
  end
  redis.call('HSET', flight, waiter, whole(deadline))
  -- A call that joins makes its job as new as itself.
  redis.call('ZADD', waiting_key(tenant, lane), 'XX', whole(now), flying_id)
  keep_flight()
  return {'joined', '', 0, '', 0, 0, {}}
end

local dismissed = room()
if not dismissed then
  return {'overloaded', '', 0, 'crowded', 0, 0, {}}
end
enqueue(waiter)
redis.call('HSET', flight, waiter, whole(deadline))
keep_flight()
return {'missing', '', 0, '', 0, 0, dismissed}
