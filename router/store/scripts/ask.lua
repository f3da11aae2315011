-- A router's question: the cached answer, or a place in the flight that brings one.
-- KEYS: cache, waiters, jobs, ready, ringed, busy
-- ARGV: job, waiter, budget ms, fresh ms, digest, tenant, jobs kept, slack ms, idle ms
-- Returns {state, cached value or '', age in ms}

local job, waiter = ARGV[1], ARGV[2]
local budget, fresh = tonumber(ARGV[3]), tonumber(ARGV[4])
local digest, tenant = ARGV[5], ARGV[6]
local kept, slack, idle = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]

local now = now_ms()
local deadline = now + budget
local flying_id, flying_until = flight_head(KEYS[2])
local is_flying = flying_id ~= nil and now <= flying_until + slack
local is_full = not is_flying and redis.call('XLEN', KEYS[3]) >= kept

local function enqueue(first_waiter)
  local id = redis.call('XADD', KEYS[3], '*', 'j', job, 'k', digest, 'd', string.format('%d', deadline),
    'w', first_waiter)
  redis.call('PEXPIRE', KEYS[3], idle)
  redis.call('HSET', KEYS[2], '', id .. ' ' .. string.format('%d', deadline))
  redis.call('SADD', KEYS[6], tenant)
  if redis.call('SADD', KEYS[5], tenant) == 1 then
    redis.call('RPUSH', KEYS[4], tenant)
  end
end

local function keep_flight()
  if redis.call('PTTL', KEYS[2]) < budget + slack then
    redis.call('PEXPIRE', KEYS[2], budget + slack)
  end
end

local value = redis.call('GET', KEYS[1])
if value and #value > 5 then
  -- The value opens with a letter and the milliseconds it was kept for: its age needs no clock.
  local kind, kept_for = struct.unpack('>c1I4', value)
  local age = math.max(0, kept_for - redis.call('PTTL', KEYS[1]))
  if kind == 'a' or age < fresh then
    return {'fresh', value, age}
  end
  if not is_flying and not is_full then
    enqueue('')
    keep_flight()
  end
  return {'stale', value, age}
end

if is_full then
  return {'overloaded', '', 0}
end
if not is_flying then
  enqueue(waiter)
end
redis.call('HSET', KEYS[2], waiter, string.format('%d', deadline))
keep_flight()
return {is_flying and 'joined' or 'missing', '', 0}
