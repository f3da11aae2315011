-- A router ends the leases that it has; one that another has got meanwhile stays.
-- KEYS: leases…
-- ARGV: router

local ended = 0
for _, lease in ipairs(KEYS) do
  if redis.call('GET', lease) == ARGV[1] then
    ended = ended + redis.call('DEL', lease)
  end
end
return ended
