-- A call is in the CRM.
-- KEYS: ...
-- ARGV: ..., tenant, integration, id

local tenant, integration, id = ARGV[2], ARGV[3], ARGV[4]
local lane = lane_of(tenant, integration)
redis.call('ZREM', held_key(lane), id)
redis.call('ZREM', waiting_key(lane), id)
redis.call('ZREM', failed_key(tenant), id .. ' ' .. integration)
redis.call('DEL', call_key(tenant, id))
redis.call('HDEL', state_key(lane), 'failures', 'until', 'problem')
rescore(lane)
return 1
