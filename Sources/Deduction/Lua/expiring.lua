-- Which keys of a bucket would vanish by themselves; writes nothing. Head: fence.lua.
--
-- Answer: the keys with a time to live; none of ours ever has one.
local expiring = {}
for i = 1, #KEYS do
  if redis.call('PTTL', KEYS[i]) >= 0 then expiring[#expiring + 1] = KEYS[i] end
end
return expiring
