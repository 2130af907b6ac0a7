-- SPDX-License-Identifier: MIT
-- What a node announced, and the µs that are left of its lease.
-- KEYS: the node. Answers {boot, left, ttl in ms, addr, ports, weight, tag,
-- state}, or {} if there is no such node.
local t = redis.call('TIME')
local n = redis.call('HMGET', KEYS[1], 'boot', 'expiry', 'ttl', 'addr', 'ports',
	'weight', 'tag', 'state')

if not n[1] then
	return {}
end
n[2] = string.format('%.0f', tonumber(n[2] or 0) - (t[1] * 1000000 + t[2]))
for i = 3, 8 do
	n[i] = n[i] or ''
end
return n
