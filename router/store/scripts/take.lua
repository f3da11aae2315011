-- A worker takes jobs: one of the first tenant on the ring, one of the next, and round again; of a tenant's lanes
-- one after the other. While a lane keeps up its oldest job goes first. Once that has waited for long, not all can be
-- served, and the newest goes first: it has the most of its caller's time left.
-- ARGV: most, turns, most of one tenant, of one lane, and pairs: a tenant or `<tenant>:<lane>` that this worker has
--   less room for, and how many of it
-- Returns {jobs nobody waited for, tenants left on the ring, jobs, jobs that are refused, ms until the next look or -1}

local most, turns, each, each_lane = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local rooms = {}
for i = 5, #ARGV, 2 do
  rooms[ARGV[i]] = tonumber(ARGV[i + 1])
end

local now = now_ms()
local expired, jobs, refused = 0, {}, {}

local function refuse(tenant, lane, id, digest, why)
  local waiters = dismiss(tenant, lane, id, digest)
  refused[#refused + 1] = {tenant, why[1], why[2], math.ceil(why[3]), waiters}
end

-- Take the jobs off a lane that come too late for their callers, up to the first that does not. Returns that one:
-- its id, the job, ms left, and since when it waits; or nil.
local function first_in_time(tenant, lane, budget)
  while budget > 0 do
    budget = budget - 1
    local id, since = oldest(tenant, lane)
    if not id then
      return nil
    end
    local job = read_job(tenant, id)
    local left = job and last_deadline(tenant, id, job) - now or 0
    if not job then
      drop_job(tenant, lane, id)
    elseif left <= 0 then
      expired = expired + 1
      dismiss(tenant, lane, id, job.digest)
    elseif left <= HOPELESS_MS and now - since > HOPELESS_MS then
      refuse(tenant, lane, id, job.digest, {'crowded', 0, 0})
    else
      return id, job, left, since
    end
  end
  return nil
end

local function newest_in_time(tenant, lane)
  local id = redis.call('ZRANGE', waiting_key(tenant, lane), -1, -1)[1]
  local job = id and read_job(tenant, id)
  local left = job and last_deadline(tenant, id, job) - now or 0
  if left > HOPELESS_MS then
    return id, job, left
  end
  return nil
end

local function hand_out(tenant, lane, id, job, left)
  redis.call('ZREM', waiting_key(tenant, lane), id)
  redis.call('ZADD', held_key(tenant, lane), whole(now), id)
  redis.call('PEXPIRE', held_key(tenant, lane), STATE_MS)
  jobs[#jobs + 1] = {tenant, id, job.job, job.digest, math.floor(left), 1, job.first_waiter, lane}
end

-- Serve a lane once: 'served', or 'full' when this worker has no room for more of it; else the moment at which it is
-- worth another look, or nil.
local function serve(tenant, lane)
  local name = tenant .. ':' .. lane
  local room = rooms[name] or each_lane
  local key = state_key(tenant, lane)
  local state = read_state(key)
  for _ = 1, SWEEP_MOST do
    local id, job, left, since = first_in_time(tenant, lane, SWEEP_MOST)
    if not id then
      local is_left = redis.call('EXISTS', waiting_key(tenant, lane)) == 1
      return is_left and now or nil
    end
    local oldest_ends = now + left - HOPELESS_MS
    if now - since > BEHIND_MS then
      local newest, newest_job, newest_left = newest_in_time(tenant, lane)
      if newest then
        id, job, left = newest, newest_job, newest_left
      end
    end
    local why = refusal(state, now, now + left, id)
    if not why and room <= 0 then
      return 'full'
    elseif not why then
      local is_probe = state.retry > 0
      local at = due_at(state, job, now)
      if at == 0 and not is_probe and redis.call('ZCARD', held_key(tenant, lane)) >= job.in_flight then
        at = oldest_ends
      end
      if at > 0 then
        return math.max(math.min(at, oldest_ends), now + 1)
      end
      if is_probe then
        become_probe(key, state, id, now + left)
      end
      spend(key, state, job.interval, job.cost, now)
      hand_out(tenant, lane, id, job, left)
      rooms[name] = room - 1
      return 'served'
    end
    refuse(tenant, lane, id, job.digest, why)
  end
  return now
end

local function serve_tenant(tenant)
  local next_look, is_full = nil, false
  local lanes = redis.call('ZRANGE', lanes_key(tenant), 0, LANES_MOST - 1)
  for _, lane in ipairs(lanes) do
    local served = serve(tenant, lane)
    if served == 'served' then
      if #lanes > 1 then
        redis.call('ZADD', lanes_key(tenant), whole(now * 1000 + #jobs), lane)
      end
      return served
    elseif served == 'full' then
      is_full = true
    elseif served then
      next_look = math.min(next_look or served, served)
    elseif redis.call('EXISTS', held_key(tenant, lane)) == 0 then
      redis.call('ZREM', lanes_key(tenant), lane)
    end
  end
  return is_full and 'full' or next_look
end

wake_due(now, turns)

local passed_over = 0
while #jobs < most and #refused < REFUSED_MOST and turns > 0 and passed_over < redis.call('LLEN', READY) do
  turns = turns - 1
  local tenant = redis.call('LPOP', READY)
  if not tenant then
    break
  end
  local room = rooms[tenant] or each
  local served = room > 0 and serve_tenant(tenant) or room <= 0 and 'full' or nil
  if served == 'served' then
    rooms[tenant] = room - 1
    passed_over = 0
    redis.call('RPUSH', READY, tenant)
  elseif served == 'full' then
    passed_over = passed_over + 1
    redis.call('RPUSH', READY, tenant)
  elseif served and served <= now then
    redis.call('RPUSH', READY, tenant)
  else
    redis.call('SREM', RINGED, tenant)
    if served then
      redis.call('ZADD', LATER, whole(served), tenant)
    end
  end
end

local next_due = redis.call('ZRANGE', LATER, 0, 0, 'WITHSCORES')[2]
local wait = next_due and math.max(math.ceil(tonumber(next_due) - now), 0) or -1
return {expired, redis.call('LLEN', READY), jobs, refused, wait}
