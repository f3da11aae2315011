-- How a CRM did when it was asked last.
-- KEYS: health
-- ARGV: revision of the settings
-- Returns {what it was asked for, problem or '', age in ms, ms since it has been so}, or false

local found = redis.call('HMGET', KEYS[1], 'revision', 'purpose', 'problem', 'at', 'since')
if found[1] ~= ARGV[1] then
  return false
end
local now = now_ms()
return {found[2], found[3], math.max(0, now - tonumber(found[4])), math.max(0, now - tonumber(found[5]))}
