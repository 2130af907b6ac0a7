-- SPDX-License-Identifier: MIT
-- The owner gives a user up. KEYS: the user. ARGV: node, boot, epoch.
-- Answers 1 if the user was its.
local pin = redis.call('HMGET', KEYS[1], 'node', 'boot', 'epoch')

if pin[1] ~= ARGV[1] or pin[2] ~= ARGV[2] or pin[3] ~= ARGV[3] then
	return 0
end
redis.call('DEL', KEYS[1])
return 1
