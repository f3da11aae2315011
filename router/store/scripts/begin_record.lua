-- Of one caller's calls, one at a time makes the caller's record in a CRM. The same call may begin again.
-- KEYS: the caller's lock
-- ARGV: the call's id, lock ms

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
