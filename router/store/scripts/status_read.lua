-- How all routers fare.
-- KEYS: routers, servers, the stem of a router's status
-- ARGV: ms that names are remembered
-- Returns the routers, each as name, ms since it was told, and status or ''; then the servers' names

local now = now_ms()
local oldest = now - tonumber(ARGV[1])
local told = {}
local routers = redis.call('ZRANGEBYSCORE', KEYS[1], oldest, '+inf', 'WITHSCORES')
for i = 1, #routers, 2 do
  local status = redis.call('GET', KEYS[3] .. routers[i])
  table.insert(told, {routers[i], now - tonumber(routers[i + 1]), status or ''})
end
return {told, redis.call('ZRANGEBYSCORE', KEYS[2], oldest, '+inf')}
