-- Reads the packed orders of ARGV[3] (OutboxBlob in Swift has the layout) for deduct and release; ARGV[4…] are the SKU
-- numbers in the order of the key pairs.
--
-- An order's line points to its pair and to the place of its flow in that pair's HMGET answer. A ledger entry reads
-- "<quantity><t|c><n>.<digest>": taken or cancelled by entry n.
local blob = ARGV[3]
local pairsCount = #KEYS / 2 - 1
local pairOf, fields = {}, {}
for i = 1, pairsCount do
  pairOf[tonumber(ARGV[3 + i])] = i
  fields[i] = {'#'}
end

local unpackStruct = struct.unpack
local _, _, _, orderCount, position = unpackStruct('<BBc6I2', blob)
local flows, digests = {}, {}
local pairAt, quantityAt, fieldAt = {}, {}, {} -- the first line of each order
local moreLines = {}                           -- the others: {pair, quantity, field, pair, …}
for i = 1, orderCount do
  local flow, digest, lineCount, sku, quantity
  flow, digest, lineCount, sku, quantity, position = unpackStruct('<c16c6BI4I4', blob, position)
  local pair = pairOf[sku]
  local list = fields[pair]
  local field = #list + 1
  list[field] = flow
  flows[i], digests[i], pairAt[i], quantityAt[i], fieldAt[i] = flow, digest, pair, quantity, field
  if lineCount > 1 then
    local more = {}
    for _ = 2, lineCount do
      sku, quantity, position = unpackStruct('<I4I4', blob, position)
      pair = pairOf[sku]
      list = fields[pair]
      field = #list + 1
      list[field] = flow
      more[#more + 1], more[#more + 2], more[#more + 3] = pair, quantity, field
    end
    moreLines[i] = more
  end
end

local skus, entries = {}, {}
local damage
for i = 1, pairsCount do
  local answer = getFields(KEYS[2 + 2 * i], fields[i])
  local sku, reason = readSKU(i, answer[1])
  if not sku then damage = reason; break end
  skus[i], entries[i] = sku, answer
end

-- The recorded entry of order i: nil if no line has one, false if only some have (the ledger is damaged).
local function recorded(i)
  local first = entries[pairAt[i]][fieldAt[i]]
  local more = moreLines[i]
  if more then
    for k = 1, #more, 3 do
      if (entries[more[k]][more[k + 2]] and true or false) ~= (first and true or false) then
        return false
      end
    end
  end
  return first or nil
end

-- A flow with several lines under which some SKU is recorded with another digest.
local function otherDigest(i)
  local digest = digests[i]
  local first = entries[pairAt[i]][fieldAt[i]]
  if first and string.sub(first, -6) ~= digest then return true end
  local more = moreLines[i]
  if more then
    for k = 1, #more, 3 do
      local entry = entries[more[k]][more[k + 2]]
      if entry and string.sub(entry, -6) ~= digest then return true end
    end
  end
  return false
end
