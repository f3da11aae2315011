-- A router keeps the leases that it has, and takes those that nobody has.
-- KEYS: leases…
-- ARGV: router, ms
-- Returns 1 or 0 for each: whether it has the lease now

local kept = {}
for i, lease in ipairs(KEYS) do
  local holder = redis.call('GET', lease)
  local is_ours = not holder or holder == ARGV[1]
  if is_ours then
    redis.call('SET', lease, ARGV[1], 'PX', ARGV[2])
  end
  kept[i] = is_ours and 1 or 0
end
return kept
