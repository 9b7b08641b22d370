-- One consistent reading of a bucket, in constant work for each SKU; writes nothing. Head: fence.lua.
--
-- Answer: {epoch, state, n, lineage holds, last id of the outbox, number of the last act, identity of the sale, then for
-- each pair: stock, control, ledger entries};
-- what is missing, or has another type, reads ''.
local isMaster, lineage = replication()
if not isMaster then return fenced('replica') end
local function read(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then return nil end
  return answer
end
local values = read('HMGET', KEYS[1], 'epoch', 'state', 'n', 'lineage', 'act', 'sale') or {}
local last = ''
if redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.pcall('XINFO', 'STREAM', KEYS[2])
  if not info.err then
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
  end
end
local answer = {
  values[1] or '', values[2] or '', values[3] or '', values[4] == lineage and 1 or 0, last, values[5] or '', values[6] or ''
}
for i = 1, #KEYS / 2 - 1 do
  answer[#answer + 1] = read('GET', KEYS[1 + 2 * i]) or ''
  answer[#answer + 1] = read('HGET', KEYS[2 + 2 * i], '#') or ''
  answer[#answer + 1] = read('HLEN', KEYS[2 + 2 * i]) or 0
end
return answer
