import Foundation
import GRDB
public import Inventory

/// What was promised beyond capacity, and what nobody could read.
extension SQLiteOrderStore {
    // MARK: Beyond capacity

    public func oversold(policy: OversoldPolicy) async throws -> OversoldBooks {
        try await read { database in
            var orders: [FlowID: OversoldOrder] = [:]
            var beyond: [SKUNumber: Int64] = [:]
            let buckets = try Int32.fetchAll(
                database, cached: "SELECT DISTINCT bucket FROM counters WHERE overCapacity > 0 ORDER BY bucket")
            for number in buckets {
                let bucket = BucketNumber(rawValue: number)
                let flows = try Data.fetchAll(
                    database, cached: "SELECT DISTINCT flow FROM items WHERE bucket = ? AND kind = ? ORDER BY flow",
                    arguments: [number, ItemKind.overCapacity.rawValue])
                for flow in flows.compactMap({ FlowID(bytes: $0) }) {
                    let order = try Self.order(database, flow, bucket)
                    for line in order.lines { beyond[line.sku, default: 0] += Int64(line.quantity) }
                    orders[flow] = OversoldOrder(
                        order: order, isOverCapacity: true, isPaid: try Self.isPaid(database, order))
                }
            }
            for (sku, units) in beyond.sorted(by: { $0.key < $1.key }) {
                // Each has a unit at least, so as many orders as units are enough to make room.
                for (flow, bucket) in try Self.reservations(database, of: sku, policy, limit: units)
                where orders[flow] == nil {
                    orders[flow] = OversoldOrder(
                        order: try Self.order(database, flow, bucket), isOverCapacity: false, isPaid: false)
                }
            }
            let touched = Set(orders.values.flatMap(\.order.lines).map(\.sku))
            let counters = try Row.fetchAll(
                database,
                cached: "SELECT sku, allocated, sold, reserved, overCapacity, frozen FROM counters ORDER BY sku"
            ).map {
                SKUCounters(
                    sku: SKUNumber(rawValue: $0[0]), allocated: $0[1], sold: $0[2], reserved: $0[3],
                    overCapacity: $0[4], frozen: $0[5])
            }
            return OversoldBooks(
                counters: counters.filter { touched.contains($0.sku) },
                orders: orders.values.sorted { $0.order.flow < $1.order.flow })
        }
    }

    private static func isPaid(_ database: Database, _ order: Order) throws -> Bool {
        try Bool.fetchOne(
            database,
            cached: "SELECT EXISTS (SELECT 1 FROM payments WHERE flow = ? AND digest = ? AND state = 1)",
            arguments: [Data(order.flow.bytes), Int64(order.digest.rawValue)]) ?? false
    }

    /// Reservations of a SKU, those first that lose first.
    private static func reservations(
        _ database: Database, of sku: SKUNumber, _ policy: OversoldPolicy, limit: Int64
    ) throws -> [(FlowID, BucketNumber)] {
        let order =
            switch policy {
            case .newestFirst: "items.flow DESC"
            case .oldestFirst: "items.flow"
            case .smallestFirst:
                """
                (SELECT SUM(quantity) FROM items AS all_ WHERE all_.bucket = items.bucket AND all_.flow = items.flow),
                items.flow DESC
                """
            }
        return try Row.fetchAll(
            database,
            cached: """
                SELECT items.flow, items.bucket FROM items CROSS JOIN orders ON orders.flow = items.flow
                WHERE items.bucket = (SELECT bucket FROM counters WHERE sku = ?) AND items.sku = ? AND items.kind = 0
                    AND orders.state = 2 ORDER BY \(order) LIMIT ?
                """, arguments: [sku.rawValue, sku.rawValue, limit]
        ).compactMap { row in
            let flow: Data = row[0]
            return FlowID(bytes: flow).map { ($0, BucketNumber(rawValue: row[1])) }
        }
    }

    public func settleOversold(_ choice: OversoldChoice, claim: Epoch?) async throws {
        try await write { _, writer in
            try writer.openBooks()
            try writer.settle(choice, claim: claim)
            try writer.closeBooks()
        }
    }

    // MARK: Dead letters

    private static let letterColumns = "number, bucket, epoch, n, reason, blob, isOrder, at"

    private static func letter(_ row: Row) -> DeadLetter {
        let bucket = BucketNumber(rawValue: row[1])
        let data: Data = row[5]
        let blob = Array(data)
        var order: Order?
        if row[6] as Bool, blob.count >= 16, let flow = FlowID(bytes: blob[..<16]) {
            order = Order(
                trustedFlow: flow, bucket: bucket, sortedLines: PackedLines.unpack(Array(blob.dropFirst(16))))
        }
        return DeadLetter(
            number: row[0], bucket: bucket, id: OutboxID(epoch: Epoch(rawValue: row[2]), n: row[3]), reason: row[4],
            order: order, blob: blob, atMilliseconds: row[7])
    }

    /// Units of a bucket's dead letters that nobody has settled, by SKU.
    static func deadUnits(_ database: Database, of bucket: BucketNumber) throws -> [SKUNumber: Int64] {
        var units: [SKUNumber: Int64] = [:]
        let rows = try Row.fetchAll(
            database,
            cached: "SELECT \(letterColumns) FROM deadLetters WHERE bucket = ? AND isOrder AND settledAs IS NULL",
            arguments: [bucket.rawValue])
        for line in rows.compactMap({ letter($0).order }).flatMap(\.lines) {
            units[line.sku, default: 0] += Int64(line.quantity)
        }
        return units
    }

    public func deadLetters(limit: Int) async throws -> [DeadLetter] {
        try await read { database in
            try Row.fetchAll(
                database,
                cached: "SELECT \(Self.letterColumns) FROM deadLetters WHERE settledAs IS NULL ORDER BY number LIMIT ?",
                arguments: [max(0, limit)]
            ).map(Self.letter)
        }
    }

    public func settleDeadLetter(
        _ number: Int64, as ending: DeadLetterEnding, who: String
    ) async throws -> DeadLetter {
        try await write { database, writer in
            let row = try Row.fetchOne(
                database,
                cached: "SELECT \(Self.letterColumns) FROM deadLetters WHERE number = ? AND settledAs IS NULL",
                arguments: [number])
            guard let letter = row.map(Self.letter) else {
                throw OrderStoreError(
                    .refused, "there is no dead letter \(number) that waits to be settled; list them first")
            }
            if ending == .givenBack, letter.order == nil {
                throw OrderStoreError(
                    .refused,
                    "nobody knows the units of dead letter \(number) (\(letter.reason)): discard it, then reconcile")
            }
            if ending == .discarded {
                for line in letter.order?.lines ?? [] {
                    try database.execute(
                        cached: """
                            UPDATE counters SET allocated = MAX(sold + reserved, allocated - MAX(0, ?2))
                            WHERE sku = ?1 AND bucket = ?3
                            """, arguments: [line.sku.rawValue, Int64(line.quantity), letter.bucket.rawValue])
                }
            }
            try database.execute(
                cached: "UPDATE deadLetters SET settledAs = ?, settledBy = ?, settledAt = ? WHERE number = ?",
                arguments: [ending.rawValue, who, writer.now(), number])
            return letter
        }
    }
}
