-- A worker keeps a newer grant; a refresh token that rotated is never overwritten by an older one.
-- KEYS: grant, life
-- ARGV: sealed, serial, ms the token lives or 0
-- Returns 1 when it was written

local serial, lives = tonumber(ARGV[2]), tonumber(ARGV[3])
if serial <= (tonumber(redis.call('HGET', KEYS[1], 'serial')) or 0) then
  return 0
end
redis.call('HSET', KEYS[1], 'sealed', ARGV[1], 'serial', ARGV[2], 'lives', ARGV[3])
redis.call('HDEL', KEYS[1], 'problem', 'problem_at', 'problem_since')
if lives > 0 then
  redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
else
  redis.call('DEL', KEYS[2])
end
return 1
