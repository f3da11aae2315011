-- The one who signs in lets go, unless its time was over and another one has begun.
-- KEYS: lock
-- ARGV: holder

if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
