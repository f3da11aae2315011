-- Put before every script of the call log, behind prelude.lua.
-- KEYS[1..9]: what keys.py's call_log() gives. ARGV[1]: calls of one integration in workers' hands at a time.
--
-- A lane is one integration of a tenant, `<tenant>:<integration>`; no tenant has a colon. Its waiting calls stand
-- in one sorted set by the moment they are due, those in workers' hands in another by the end of their lease. The
-- ring holds each lane with the moment of its next turn, in microseconds: it is never before the lane's last turn,
-- so that lanes with a backlog come round in turn; and it waits for a lane whose CRM is away.

local RING, TENANTS = KEYS[1], KEYS[2]
local IN_HAND = tonumber(ARGV[1])

local function call_key(tenant, id)
  return KEYS[3] .. tenant .. ':' .. id
end

local function seen_key(tenant, id)
  return KEYS[4] .. tenant .. ':' .. id
end

local function lane_of(tenant, integration)
  return tenant .. ':' .. integration
end

local function waiting_key(lane)
  return KEYS[5] .. lane
end

local function held_key(lane)
  return KEYS[6] .. lane
end

local function state_key(lane)
  return KEYS[7] .. lane
end

local function failed_key(tenant)
  return KEYS[8] .. tenant
end

local function names_key(tenant)
  return KEYS[9] .. tenant
end

local function number(value)
  return tonumber(value or 0) or 0
end

local function whole(value)
  return string.format('%d', value)
end

-- How many more calls of the lane may be tried now: a CRM that fails is tried by one at a time.
local function room_of(lane)
  local most = IN_HAND
  if number(redis.call('HGET', state_key(lane), 'failures')) > 0 then
    most = 1
  end
  return most - redis.call('ZCARD', held_key(lane))
end

-- Give the lane its place on the ring, or take it off.
local function rescore(lane)
  local turn = nil
  local head = redis.call('ZRANGE', waiting_key(lane), 0, 0, 'WITHSCORES')
  local lease = redis.call('ZRANGE', held_key(lane), 0, 0, 'WITHSCORES')
  if head[2] and room_of(lane) > 0 then
    local state = redis.call('HMGET', state_key(lane), 'until', 'served')
    turn = math.max(number(head[2]) * 1000, number(state[1]) * 1000, number(state[2]))
  end
  if lease[2] then
    turn = math.min(turn or math.huge, number(lease[2]) * 1000)
  end
  if turn then
    redis.call('ZADD', RING, whole(turn), lane)
  else
    redis.call('ZREM', RING, lane)
  end
  if not head[2] and not lease[2] then
    redis.call('DEL', state_key(lane))
  end
end

local function keep_failed(tenant, integration, id, problem, now, kept_ms, most)
  local failed = failed_key(tenant)
  if redis.call('EXISTS', call_key(tenant, id)) == 0 then
    return
  end
  redis.call('HSET', call_key(tenant, id), 'problem', problem, 'failed', whole(now))
  redis.call('PEXPIRE', call_key(tenant, id), whole(kept_ms))
  redis.call('ZADD', failed, whole(now), id .. ' ' .. integration)
  redis.call('PEXPIRE', failed, whole(kept_ms))
  redis.call('ZREMRANGEBYSCORE', failed, '-inf', whole(now - kept_ms))
  local surplus = redis.call('ZCARD', failed) - most
  if surplus > 0 then
    for _, member in ipairs(redis.call('ZRANGE', failed, 0, surplus - 1)) do
      redis.call('DEL', call_key(tenant, string.match(member, '^%S+')))
    end
    redis.call('ZREMRANGEBYRANK', failed, 0, surplus - 1)
  end
end

-- A lease that ended, or a worker that took the call after it, no longer speaks for the call.
local function is_in_hand(tenant, lane, id, tries)
  return redis.call('ZSCORE', held_key(lane), id)
    and redis.call('HGET', call_key(tenant, id), 'tries') == tries
end
