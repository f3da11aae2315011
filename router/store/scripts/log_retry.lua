-- A person puts calls that were given up back on the queue, and lets their integrations be tried at once.
-- KEYS: ...
-- ARGV: ..., tenant, integration or '', id or '', most in one step, kept ms
-- Returns {calls put back, calls of these that are left}

local tenant, only, wanted = ARGV[2], ARGV[3], ARGV[4]
local now = now_ms()
local back, left = 0, 0
for _, member in ipairs(redis.call('ZRANGE', failed_key(tenant), 0, -1)) do
  local id, integration = string.match(member, '^(%S+) (.*)$')
  if id and (only == '' or only == integration) and (wanted == '' or wanted == id) then
    if back >= tonumber(ARGV[5]) then
      left = left + 1
    else
      redis.call('ZREM', failed_key(tenant), member)
      if redis.call('EXISTS', call_key(tenant, id)) == 1 then
        back = back + 1
        redis.call('HSET', call_key(tenant, id), 'queued', whole(now), 'tries', '0', 'lost', '0', 'again', '1')
        redis.call('HDEL', call_key(tenant, id), 'failed')
        redis.call('PEXPIRE', call_key(tenant, id), ARGV[6])
        redis.call('ZADD', waiting_key(lane_of(tenant, integration)), whole(now), id)
      end
    end
  end
end
for _, integration in ipairs(redis.call('SMEMBERS', names_key(tenant))) do
  if only == '' or only == integration then
    local lane = lane_of(tenant, integration)
    redis.call('HDEL', state_key(lane), 'failures', 'until')
    rescore(lane)
  end
end
return {back, left}
