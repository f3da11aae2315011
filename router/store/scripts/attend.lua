-- A router keeps its stream of answers alive, and makes it anew when it is gone.
-- KEYS: answers
-- ARGV: kept ms, id of the last answer read, '1' at the start
-- Returns the id to read on from when the stream is new or the router is, else false

local is_there = redis.call('EXISTS', KEYS[1]) == 1
if is_there and ARGV[3] ~= '1' then
  redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return false
end
local id = redis.call('XADD', KEYS[1], '*', 'attended', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return is_there and id or '0-0'
