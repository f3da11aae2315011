-- A router keeps what it knows of a call that is not over yet.
-- KEYS: ..., open call
-- ARGV: ..., tenant, id, account, rank, knowledge, started ms, kept ms
-- Returns 1, or 0 when the call is over already

local open, tenant, id = KEYS[10], ARGV[2], ARGV[3]
local account, rank, knowledge, started = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
if redis.call('EXISTS', seen_key(tenant, id)) == 1 then
  return 0
end
local found = redis.call('HMGET', open, 'rank', 'known_rank', 'started')
if not found[1] or rank >= tonumber(found[1]) then
  redis.call('HSET', open, 'latest', account, 'rank', whole(rank))
end
-- Of two parkings whose look-ups said as much, the later one's is kept.
local known_rank = knowledge * 1000000 + rank
if knowledge > 0 and known_rank >= number(found[2]) then
  redis.call('HSET', open, 'known', account, 'known_rank', whole(known_rank))
end
if not found[3] or started < tonumber(found[3]) then
  redis.call('HSET', open, 'started', whole(started))
end
redis.call('PEXPIRE', open, ARGV[8])
return 1
