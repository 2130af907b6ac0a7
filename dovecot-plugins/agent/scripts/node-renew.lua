-- SPDX-License-Identifier: MIT
-- Takes or extends the lease of a node (common/rules/lease.h).
-- KEYS: the node, what the admin wants of it. ARGV: new|renew|assert, boot (new: the caller's former one,
-- or 0), TTL in ms, addr, ports, weight, tag, state.
-- Answers {granted, boot, state, weight}, {dead}, {missing} or {in-use, ms left, addr}.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local cur = redis.call('HMGET', KEYS[1], 'boot', 'expiry', 'addr')
local expiry = tonumber(cur[2] or 0)
local boot = ARGV[2]

if ARGV[1] == 'new' then
	-- a boot that another process may still act on is never replaced
	if cur[1] and cur[1] ~= boot and expiry > now then
		return {'in-use', string.format('%.0f', (expiry - now) / 1000),
			cur[3] or ''}
	end
	boot = string.format('%.0f', math.max(tonumber(cur[1] or 0) + 1,
		tonumber(boot) + 1, now))
elseif not cur[1] then
	if ARGV[1] == 'renew' then
		return {'missing'}
	end
elseif cur[1] ~= boot then
	return {'dead'}
elseif expiry <= now and ARGV[1] == 'renew' then
	return {'dead'} -- and it stays so: others rely on that
end
-- a drain is one of a boot, a weight lasts
local want = redis.call('HMGET', KEYS[2], 'state', 'boot', 'weight')
local state = want[1] and want[2] == boot and want[1] or ARGV[8]
local weight = want[3] or ARGV[6]

redis.call('HSET', KEYS[1], 'boot', boot,
	'expiry', string.format('%.0f', now + ARGV[3] * 1000), 'ttl', ARGV[3],
	'addr', ARGV[4], 'ports', ARGV[5], 'weight', weight, 'tag', ARGV[7],
	'state', state)
return {'granted', boot, state, weight}
