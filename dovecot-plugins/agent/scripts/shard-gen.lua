-- SPDX-License-Identifier: MIT
-- Sees to it that a shard knows the server it is on: if not, what it says may
-- be lost or old, and nobody new is granted for one TTL.
-- KEYS: the shard's gen. ARGV: run_id, grace in µs. Answers µs of grace left.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local gen = redis.call('HMGET', KEYS[1], 'run', 'from')

if gen[1] == ARGV[1] and gen[2] then
	return string.format('%.0f', math.max(0, tonumber(gen[2]) - now))
end
redis.call('HSET', KEYS[1], 'run', ARGV[1],
	'from', string.format('%.0f', now + ARGV[2]))
return ARGV[2]
