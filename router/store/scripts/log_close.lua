-- A router closes an open call and puts it on the queue; of several routers one does.
-- KEYS: ..., open call
-- ARGV: ..., tenant, integration, id, finished call or '', seen ms, kept ms, waiting most, failed kept ms, failed most,
--   problem of a full queue
-- Returns 1 when this router was the one

local open = KEYS[10]
local tenant, integration, id, call = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local lane = lane_of(tenant, integration)
if redis.call('DEL', open) == 0 then
  return 0
end
if not redis.call('SET', seen_key(tenant, id), '1', 'PX', ARGV[6], 'NX') then
  return 0
end
if call == '' then
  return 1
end
local now = now_ms()
redis.call('HSET', call_key(tenant, id), 'call', call, 'queued', whole(now), 'tries', '0', 'lost', '0')
redis.call('PEXPIRE', call_key(tenant, id), ARGV[7])
redis.call('SADD', TENANTS, tenant)
redis.call('SADD', names_key(tenant), integration)
if redis.call('ZCARD', waiting_key(lane)) >= tonumber(ARGV[8]) then
  keep_failed(tenant, integration, id, ARGV[11], now, tonumber(ARGV[9]), tonumber(ARGV[10]))
  return 1
end
redis.call('ZADD', waiting_key(lane), whole(now), id)
rescore(lane)
return 1
