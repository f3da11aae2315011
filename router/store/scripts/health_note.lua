-- A worker asked a CRM. The moment since when it does well, or does not, stays as long as that does.
-- KEYS: health
-- ARGV: revision of the settings, what it was asked for, problem or '', seconds to keep it

local was = redis.call('HMGET', KEYS[1], 'revision', 'problem', 'since')
local now = string.format('%d', now_ms())
local since = now
if was[1] == ARGV[1] and (was[2] == '') == (ARGV[3] == '') then
  since = was[3]
end
redis.call('HSET', KEYS[1], 'revision', ARGV[1], 'purpose', ARGV[2], 'problem', ARGV[3], 'at', now, 'since', since)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
