-- A worker could not sign in.
-- KEYS: grant
-- ARGV: problem

redis.call('HSET', KEYS[1], 'problem', ARGV[1], 'problem_at', string.format('%d', now_ms()))
return 1
