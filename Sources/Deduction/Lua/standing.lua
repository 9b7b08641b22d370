-- How a bucket's server stands to replicas; writes nothing. Head: fence.lua.
--
-- ARGV 1 a replica whose last acknowledgement is older than this many seconds does not count.
-- Answer: {epoch, lineage holds, whether this server ever had or was a replica, replicas in touch}.
local isMaster, lineage, info = replication()
if not isMaster then return fenced('replica') end
local control = redis.pcall('HMGET', KEYS[1], 'epoch', 'lineage')
if control.err then control = {} end
local holds = control[2] == lineage
local inTouch = 0
for lag in string.gmatch(info, 'slave%d+:[^\r\n]*state=online[^\r\n]*lag=(%d+)') do
  if tonumber(lag) <= tonumber(ARGV[1]) then inTouch = inTouch + 1 end
end
return {control[1] or '', holds and 1 or 0, everReplicated(info) and 1 or 0, inTouch}
