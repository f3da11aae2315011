-- Hand out a tenant's plan: when it is newer than the one that is there, or in place of that very one.
-- KEYS: numbers, plans, news
-- ARGV: tenant, number, plan, number of the one that it replaces or '', news kept
-- Returns 1 when it is handed out, 0 when another one stays

local there = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[4] ~= '' then
  if there ~= ARGV[4] then
    return 0
  end
elseif there and tonumber(there) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 't', ARGV[1])
return 1
