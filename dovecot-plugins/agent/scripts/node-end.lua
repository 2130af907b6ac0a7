-- SPDX-License-Identifier: MIT
-- A node ends its own lease, after its last session. KEYS: the node.
-- ARGV: boot. Answers 1 if the lease was that boot's.
if redis.call('HGET', KEYS[1], 'boot') ~= ARGV[1] then
	return 0
end
redis.call('HSET', KEYS[1], 'expiry', '0')
return 1
