-- A CRM wants to be left alone: no worker begins a look-up of its integration before.
-- ARGV: tenant, lane, ms

local key, now = state_key(ARGV[1], ARGV[2]), now_ms()
local paused_until = now + tonumber(ARGV[3])
if paused_until > read_state(key).paused then
  keep_state(key, 'z', whole(paused_until))
end
return 0
