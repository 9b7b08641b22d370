public import Inventory
public import OrderStore
public import Redis

/// One entry of a bucket's outbox as Redis holds it.
public struct OutboxEntry: Sendable {
    public let bucket: BucketNumber
    public let id: OutboxID
    public let blob: [UInt8]
    /// A letter for each order.
    public let results: [UInt8]

    public init(bucket: BucketNumber, id: OutboxID, blob: [UInt8], results: [UInt8]) {
        self.bucket = bucket
        self.id = id
        self.blob = blob
        self.results = results
    }

    /// Unix milliseconds at which the call was formed; `nil` for the entry of an opening.
    public var milliseconds: UInt64? {
        guard blob.count >= OutboxBlob.headerBytes else { return nil }
        return (0..<6).reduce(UInt64(0)) { $0 | UInt64(blob[2 + $1]) << UInt64(8 * $1) }
    }

    /// What SQL must write for it.
    public var settlement: EntrySettlement {
        EntrySettlement(bucket: bucket, id: id, action: action)
    }

    private var action: EntrySettlement.Action {
        if blob.isEmpty && id.n == 0 { return .mark }
        guard let decoded = OutboxBlob(bytes: blob, bucket: bucket) else { return .unreadable(blob: blob) }
        switch decoded.payload {
        case .deduct(let orders):
            guard orders.count == results.count else { return .unreadable(blob: blob) }
            return .deduct(Self.pick("D", of: orders, results))
        case .release(let orders):
            guard orders.count == results.count else { return .unreadable(blob: blob) }
            return .release(
                givenBack: Self.pick("R", of: orders, results), tombstones: Self.pick("T", of: orders, results))
        case .restock(let sku, let fromVersion, let units):
            // Redis refused to take that many back: the movement is spent, and moved nothing.
            return .restock(sku: sku, version: fromVersion, units: results == [UInt8(ascii: "S")] ? 0 : units)
        case .freeze, .state: return .mark
        case .repair(let sku, let delta): return .repair(sku: sku, delta: delta)
        }
    }

    private static func pick(_ letter: Unicode.Scalar, of orders: [Order], _ results: [UInt8]) -> [Order] {
        zip(orders, results).filter { $0.1 == UInt8(ascii: letter) }.map(\.0)
    }

    /// Reads the answer of XRANGE; entries with an id that is not ours are left out.
    public static func read(_ reply: RedisReply, bucket: BucketNumber) -> [OutboxEntry] {
        (reply.array ?? []).compactMap { item in
            guard let parts = item.array, parts.count == 2, let text = parts[0].string, let id = OutboxID(text),
                let fields = parts[1].array
            else { return nil }
            var blob: [UInt8] = []
            var results: [UInt8] = []
            for position in stride(from: 0, to: fields.count - 1, by: 2) {
                switch fields[position].string {
                case "o": blob = fields[position + 1].bytes ?? []
                case "r": results = fields[position + 1].bytes ?? []
                default: break
                }
            }
            return OutboxEntry(bucket: bucket, id: id, blob: blob, results: results)
        }
    }

    /// The command that reads at most `limit` entries after `id`: those of its epoch, or of all later ones.
    public static func readCommand(keys: BucketKeys, after id: OutboxID, sameEpoch: Bool, limit: Int) -> RedisCommand {
        var command = RedisCommand("XRANGE")
        command.append(keys.outbox)
        command.append("(\(id)")
        command.append(sameEpoch ? "\(id.epoch.rawValue)" : "+")
        command.append("COUNT")
        command.append(limit)
        return command
    }
}
