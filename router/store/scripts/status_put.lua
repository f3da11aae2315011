-- A router tells how it fares.
-- KEYS: routers, servers, the router's status
-- ARGV: ms that a status lives, ms that names are remembered, names kept, router, status, servers…

local now = now_ms()

local function remember(key, name)
  redis.call('ZADD', key, now, name)
  redis.call('ZREMRANGEBYRANK', key, 0, -(tonumber(ARGV[3]) + 1))
  redis.call('PEXPIRE', key, ARGV[2])
end

redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[1])
remember(KEYS[1], ARGV[4])
for i = 6, #ARGV do
  remember(KEYS[2], ARGV[i])
end
return 1
