-- A worker reads a grant.
-- KEYS: grant, life
-- Returns {sealed, serial, ms the token lives or 0, ms left, problem or '', age of the problem in ms, ms since it began}, or false

local found = redis.call('HMGET', KEYS[1], 'sealed', 'serial', 'lives', 'problem', 'problem_at', 'problem_since')
if not found[1] and not found[4] then
  return false
end
local age, since = 0, 0
if found[5] then
  age = math.max(0, now_ms() - tonumber(found[5]))
  since = math.max(0, now_ms() - tonumber(found[6] or found[5]))
end
return {found[1] or '', tonumber(found[2]) or 0, tonumber(found[3]) or 0, math.max(0, redis.call('PTTL', KEYS[2])),
  found[4] or '', age, since}
