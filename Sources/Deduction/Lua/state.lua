-- Opens, halts or closes a bucket for orders. Head: fence.lua, then `pass`.
--
-- ARGV 3 blob for the outbox · 4 `open`, `halted` or `closed`. Answer: {n, letter, ''}: R set now · r was so before
if redis.call('HGET', KEYS[1], 'state') == ARGV[4] then return {n, 'r', ''} end
local id, why = announce(n + 1, ARGV[3], 'R')
if not id then return fenced(why, ARGV[1]) end
redis.call('HSET', KEYS[1], 'state', ARGV[4])
return {n + 1, 'R', ''}
