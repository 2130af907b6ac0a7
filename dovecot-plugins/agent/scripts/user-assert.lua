-- SPDX-License-Identifier: MIT
-- A holder says again, to a server that lost its memory, that it holds a user.
-- KEYS: the user, the shard's gen. ARGV: run_id, grace in µs, node, boot, epoch.
-- Answers {ok} or {owned, node, boot, epoch}: somebody else is newer.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local gen = redis.call('HMGET', KEYS[2], 'run', 'from')
local from = tonumber(gen[2] or 0)

if gen[1] ~= ARGV[1] or not gen[2] then
	from = now + ARGV[2]
	redis.call('HSET', KEYS[2], 'run', ARGV[1],
		'from', string.format('%.0f', from))
end
local pin = redis.call('HMGET', KEYS[1], 'node', 'boot', 'epoch')
local mine = pin[1] == ARGV[3] and pin[2] == ARGV[4]

if pin[1] and not mine and
	(now >= from or tonumber(pin[3] or 0) > tonumber(ARGV[5])) then
	return {'owned', pin[1], pin[2] or '0', pin[3] or '0'}
end
redis.call('HSET', KEYS[1], 'node', ARGV[3], 'boot', ARGV[4],
	'epoch', ARGV[5], 'state', 'held')
redis.call('PERSIST', KEYS[1])
return {'ok'}
