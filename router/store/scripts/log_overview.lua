-- How a tenant's integrations fare. One with nothing left is forgotten.
-- KEYS: ...
-- ARGV: ..., tenant, failed kept ms
-- Returns {integration, waiting, in hand, failed, failures, ms until its next turn, problem} for each

local tenant = ARGV[2]
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', failed_key(tenant), '-inf', whole(now - tonumber(ARGV[3])))
local failed = {}
for _, member in ipairs(redis.call('ZRANGE', failed_key(tenant), 0, -1)) do
  local integration = string.match(member, '^%S+ (.*)$') or ''
  failed[integration] = (failed[integration] or 0) + 1
end

local found = {}
for _, integration in ipairs(redis.call('SMEMBERS', names_key(tenant))) do
  local lane = lane_of(tenant, integration)
  local waiting, held = redis.call('ZCARD', waiting_key(lane)), redis.call('ZCARD', held_key(lane))
  local given_up = failed[integration] or 0
  if waiting + held + given_up == 0 then
    redis.call('SREM', names_key(tenant), integration)
  else
    local state = redis.call('HMGET', state_key(lane), 'failures', 'until', 'problem')
    found[#found + 1] = {integration, waiting, held, given_up, number(state[1]), math.max(0, number(state[2]) - now),
      state[3] or ''}
  end
end
if #found == 0 then
  redis.call('SREM', TENANTS, tenant)
end
return found
