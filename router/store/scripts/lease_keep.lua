-- A router keeps the leases that it has, and takes those that nobody has. Who gets none leaves a mark, so that
-- the one that has it knows of others.
-- KEYS: leases…, the mark of each…
-- ARGV: router, ms
-- Returns for each lease: 0 it is another's, 1 the router has it, 2 it has it and others hear the server too

local count = #KEYS / 2
local kept = {}
for i = 1, count do
  local holder = redis.call('GET', KEYS[i])
  if not holder or holder == ARGV[1] then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2])
    local other = redis.call('GET', KEYS[count + i])
    kept[i] = (other and other ~= ARGV[1]) and 2 or 1
  else
    redis.call('SET', KEYS[count + i], ARGV[1], 'PX', ARGV[2])
    kept[i] = 0
  end
end
return kept
