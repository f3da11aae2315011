-- A router records a decision; one of several witnesses is enough.
-- KEYS: seen, decisions
-- ARGV: '1' for the only witness, seen ms, decisions kept, call id, decision
-- Returns 1 when it was recorded, 0 when another witness was first

if ARGV[1] == '1' then
  redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
elseif not redis.call('SET', KEYS[1], '1', 'PX', ARGV[2], 'NX') then
  return 0
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'c', ARGV[4], 'd', ARGV[5])
return 1
