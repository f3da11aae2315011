-- How an integration's CRM fares, for a person.
-- ARGV: tenant, lane
-- Returns {failures, problem, is open, ms open, ms to the next try, ms paused, waiting, in flight}

local tenant, lane = ARGV[1], ARGV[2]
local key, now = state_key(tenant, lane), now_ms()
local state = read_state(key)
local more = redis.call('HMGET', key, 'y', 's')
local is_open = state.retry > 0
return {
  state.failures,
  more[1] or '',
  is_open and 1 or 0,
  is_open and math.max(now - (tonumber(more[2]) or now), 0) or 0,
  is_open and math.max(state.retry - now, 0) or 0,
  math.max(math.ceil(state.paused - now), 0),
  redis.call('ZCARD', waiting_key(tenant, lane)),
  redis.call('ZCARD', held_key(tenant, lane)),
}
