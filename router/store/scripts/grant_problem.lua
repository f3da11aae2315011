-- A worker could not sign in. Since when is kept while it is the same identity that cannot.
-- KEYS: grant
-- ARGV: problem, which begins with the identity and a bar

local was = redis.call('HMGET', KEYS[1], 'problem', 'problem_since')
local now = string.format('%d', now_ms())
local since = now
if was[1] and was[2] and string.match(was[1], '^[^|]*') == string.match(ARGV[1], '^[^|]*') then
  since = was[2]
end
redis.call('HSET', KEYS[1], 'problem', ARGV[1], 'problem_at', now, 'problem_since', since)
return 1
