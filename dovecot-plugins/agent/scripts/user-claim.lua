-- SPDX-License-Identifier: MIT
-- Compare-and-set of a user's owner.
-- KEYS: the user, the shard's gen. ARGV: run_id, grace in µs, the caller's
-- node and boot, the node and boot to grant the user to, a node and boot that
-- are known to be dead (or empty), ms that a grant to another node lasts
-- unless that node confirms it (0: it is the caller), and the epoch that a
-- dead node's pin must have (or nothing).
-- Answers {held|claimed|takeover|owned, node, boot, epoch} or {grace, ms}.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local gen = redis.call('HMGET', KEYS[2], 'run', 'from')
local from = tonumber(gen[2] or 0)

if gen[1] ~= ARGV[1] or not gen[2] then
	from = now + ARGV[2]
	redis.call('HSET', KEYS[2], 'run', ARGV[1],
		'from', string.format('%.0f', from))
end
local grace = {'grace', string.format('%.0f', (from - now) / 1000 + 1)}
local pin = redis.call('HMGET', KEYS[1], 'node', 'boot', 'epoch')
local what = 'claimed'

if pin[1] then
	if pin[1] == ARGV[3] and pin[2] == ARGV[4] then
		-- who really holds it asserts it, and does not ask
		if now < from then
			return grace
		end
		redis.call('PERSIST', KEYS[1])
		return {'held', pin[1], pin[2], pin[3]}
	end
	if pin[1] ~= ARGV[7] or pin[2] ~= ARGV[8] or
		(ARGV[10] and pin[3] ~= ARGV[10]) then
		return {'owned', pin[1], pin[2] or '0', pin[3] or '0'}
	end
	what = 'takeover'
end
if now < from then
	return grace
end
local epoch = string.format('%.0f', math.max(tonumber(pin[3] or 0) + 1, now))
redis.call('HSET', KEYS[1], 'node', ARGV[5], 'boot', ARGV[6], 'epoch', epoch,
	'state', 'held')
if tonumber(ARGV[9]) > 0 then
	redis.call('PEXPIRE', KEYS[1], ARGV[9])
else
	redis.call('PERSIST', KEYS[1])
end
return {what, ARGV[5], ARGV[6], epoch}
