-- The fence: the head of every script that changes stock or control of a bucket.
--
-- KEYS  1 control `sc_{tag}` · 2 outbox `so_{tag}` · then a pair for each SKU: stock `ss_{tag}sku`, ledger `sx_{tag}sku`
-- ARGV  1 the caller's epoch · 2 the highest n that the caller has seen in it
--
-- A failed fence writes nothing and answers {-1, reason, epoch}. One INFO a call (1.5 us) names role and lineage: data that
-- was lost, rolled back, promoted, migrated, flushed or half evicted is not sold from, whoever calls.
local function int(number) return string.format('%d', number) end

local function fenced(reason, epoch) return {-1, reason, epoch or ''} end

local function replication()
  local info = redis.call('INFO', 'replication')
  return string.find(info, 'role:master', 1, true) ~= nil, string.match(info, 'master_replid:(%x+)'), info
end

-- Whether this server ever had a replica, or was one: it keeps a backlog for them from the first one on. When a first
-- replica attaches the lineage changes: so while a lineage holds, "never" stays true.
local function everReplicated(info)
  return not string.find(info, 'connected_slaves:0', 1, true)
    or not string.find(info, 'repl_backlog_active:0', 1, true)
    or string.find(info, 'master_replid2:0*[^0%s]') ~= nil
end

local function process() return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') end

-- Lua compares strings by the server's collation, not by bytes; a watermark is a moment, so its milliseconds say it all.
local function flowMilliseconds(flow) return (struct.unpack('>I6', flow)) end

-- Returns n and the watermark's milliseconds (nil: none yet), or nil and the answer to give. `states` are the states in which
-- the script may write.
local function pass(states)
  local isMaster, lineage = replication()
  if not isMaster then return nil, fenced('replica') end
  local control = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'lineage', 'n', 'watermark')
  local epoch, state, n = control[1], control[2], tonumber(control[4])
  if not epoch or not state or not n then return nil, fenced('noControl') end
  if epoch ~= ARGV[1] then return nil, fenced('epoch', epoch) end
  if control[3] ~= lineage then return nil, fenced('lineage', epoch) end
  if not states[state] then
    local isOurs = state == 'open' or state == 'halted' or state == 'closed' or state == 'recovering'
    return nil, fenced(isOurs and state or 'badState', epoch)
  end
  if n < tonumber(ARGV[2]) then return nil, fenced('behind', epoch) end
  local watermark = control[5]
  return n, watermark and #watermark == 16 and flowMilliseconds(watermark) or nil
end

-- A SKU's control is the ledger field `#`: "allocated version taken frozen n", and for a SKU that is limited per buyer also
-- the units that one buyer may hold.
local function control(text)
  local allocated, version, taken, frozen, limit =
    string.match(text, '^(%d+) (%d+) (%d+) ([01]) %d+ ?(%d*)$')
  if not allocated then return nil end
  return {
    allocated = tonumber(allocated), version = tonumber(version), taken = tonumber(taken), frozen = frozen,
    limit = tonumber(limit)
  }
end

local function controlText(sku, n)
  if sku.limit then
    return string.format('%d %d %d %s %d %d', sku.allocated, sku.version, sku.taken, sku.frozen, n, sku.limit)
  end
  return string.format('%d %d %d %s %d', sku.allocated, sku.version, sku.taken, sku.frozen, n)
end

-- Reads stock and control of pair i and checks stock + taken = allocated. Returns nil and the reason if it does not hold.
-- `stocks`: those of all pairs, where they were read at once.
local function readSKU(i, text, stocks)
  local found
  if stocks then found = stocks[i] else found = redis.call('GET', KEYS[1 + 2 * i]) end
  local stock = tonumber(found or nil)
  if not stock or not text then return nil, 'missing' end
  local sku = control(text)
  if not sku or stock < 0 or stock + sku.taken ~= sku.allocated then return nil, 'unbalanced' end
  sku.stock = stock
  return sku
end

-- The reason of a write that Redis refused. Where the server stands in the way nothing is damaged, and nothing was written.
local function refusal(text)
  if string.find(text, 'OOM', 1, true) then return 'outOfMemory' end
  if string.find(text, 'NOPERM', 1, true) or string.find(text, 'user executing the script can', 1, true) then
    return 'forbidden'
  end
  if string.find(text, 'MISCONF', 1, true) or string.find(text, 'NOREPLICAS', 1, true) then return 'takesNoWrites' end
  return text
end

-- Writes the outbox entry first: it is the one write that can still fail. Returns nil and the reason if it did.
local function announce(n, blob, results)
  local id = ARGV[1] .. '-' .. int(n)
  local added = redis.pcall('XADD', KEYS[2], 'NOMKSTREAM', id, 'o', blob, 'r', results)
  if type(added) == 'table' and added.err then
    if string.find(added.err, 'smaller', 1, true) then return nil, 'reusedID' end
    if string.find(added.err, 'WRONGTYPE', 1, true) then return nil, 'noOutbox' end
    return nil, refusal(added.err)
  end
  if not added then return nil, 'noOutbox' end
  redis.call('HSET', KEYS[1], 'n', int(n))
  return id
end

-- HSET in steps that fit Lua's stack (at most 7,000 values to unpack).
local function setFields(key, fields)
  local count = #fields
  if count <= 6000 then
    redis.call('HSET', key, unpack(fields))
    return
  end
  for first = 1, count, 6000 do
    redis.call('HSET', key, unpack(fields, first, math.min(first + 5999, count)))
  end
end

local function getFields(key, fields)
  if #fields <= 6000 then return redis.call('HMGET', key, unpack(fields)) end
  local all = {}
  for first = 1, #fields, 6000 do
    local some = redis.call('HMGET', key, unpack(fields, first, math.min(first + 5999, #fields)))
    for i = 1, #some do all[first + i - 1] = some[i] end
  end
  return all
end

local function removeFields(key, fields)
  for first = 1, #fields, 6000 do
    redis.call('HDEL', key, unpack(fields, first, math.min(first + 5999, #fields)))
  end
end
