-- One consistent reading of a bucket, in constant work for each SKU; writes nothing. Head: fence.lua.
--
-- Answer: {epoch, state, n, lineage holds, last id of the outbox, number of the last act, identity of the sale, SKUs}. SKUs is
-- one text with three lines for each pair: stock, control, ledger entries; a reply of its own for each would cost both ends more
-- than the reading. What is missing, has another type, or has a line end in it (no script of ours writes one), reads ''. With
-- `numbers` as ARGV 1 ledgers are not counted: 0 each.
local isMaster, lineage = replication()
if not isMaster then return fenced('replica') end
local pcall = redis.pcall
local values = pcall('HMGET', KEYS[1], 'epoch', 'state', 'n', 'lineage', 'act', 'sale')
if values.err then values = {} end
local last = ''
if redis.call('EXISTS', KEYS[2]) == 1 then
  local info = pcall('XINFO', 'STREAM', KEYS[2])
  if not info.err then
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
  end
end
local count, lines, at = #KEYS / 2 - 1, {}, 0
local texts = {} -- most ledgers are of few lengths, and Lua writes numbers slowly
-- MGET gives nil for a key of another type; in steps that fit Lua's stack.
for first = 1, count, 6000 do
  local keys = {}
  for i = first, math.min(first + 5999, count) do keys[i - first + 1] = KEYS[1 + 2 * i] end
  local stocks = redis.call('MGET', unpack(keys))
  for i = 1, #keys do
    local ledger = KEYS[2 * (first + i)]
    local text, entries = pcall('HGET', ledger, '#'), 0
    if ARGV[1] ~= 'numbers' then entries = pcall('HLEN', ledger) end
    lines[at + 1] = stocks[i] or ''
    lines[at + 2] = type(text) == 'string' and text or ''
    if type(entries) ~= 'number' then entries = 0 end
    local digits = texts[entries]
    if not digits then
      digits = int(entries)
      texts[entries] = digits
    end
    lines[at + 3] = digits
    at = at + 3
  end
end
if string.find(table.concat(lines), '\n', 1, true) then
  for i = 1, at do
    if string.find(lines[i], '\n', 1, true) then lines[i] = '' end
  end
end
return {
  values[1] or '', values[2] or '', values[3] or '', values[4] == lineage and 1 or 0, last, values[5] or '', values[6] or '',
  table.concat(lines, '\n')
}
