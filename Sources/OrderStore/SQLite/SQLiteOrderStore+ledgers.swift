import Foundation
import GRDB
public import Inventory
import Synchronization

/// What Redis's ledgers must hold: pages of them, the watermark and what lies below it, what buyers hold, and whether the books
/// add up.
extension SQLiteOrderStore {
    /// Of a row of `passed`: no open order under its flow, in whichever bucket, and no give-back under way.
    static let isSettled = """
        NOT EXISTS (
            SELECT 1 FROM orders WHERE orders.flow = passed.flow AND state NOT IN \(OrderState.settledInSQL))
        AND NOT EXISTS (SELECT 1 FROM giveBacks WHERE giveBacks.flow = passed.flow AND doneEpoch IS NULL)
        """

    // MARK: Pages

    public func ledgerPage(sku: SKUNumber, after: FlowID?, limit: Int) async throws -> [LedgerRow] {
        try await read { database in
            let row = try Row.fetchOne(
                database,
                cached: """
                    SELECT buckets.number, watermark FROM counters JOIN buckets ON buckets.number = counters.bucket
                    WHERE sku = ?
                    """, arguments: [sku.rawValue])
            guard let row else { throw Self.unknown(sku) }
            let watermark = (row[1] as Data?).flatMap { FlowID(bytes: $0) }
            let columns = "items.flow, orders.digest, items.quantity, items.kind, items.n"
            var page: [LedgerRow] = []
            func read(_ statement: SQLiteStatement, from first: FlowID) throws {
                statement.bind(1, row[0] as Int32)
                statement.bind(2, first)
                statement.bind(3, sku.rawValue)
                statement.bind(4, Int64(max(0, limit - page.count)))
                while try statement.next() { page.append(Self.ledgerRow(sku, statement)) }
            }
            let first = after?.successor ?? FlowID(high: 0, low: 0)
            if let watermark, first < watermark {
                let below = try SQLiteStatement(
                    cachedBy: database,
                    """
                    SELECT \(columns), orders.state IN \(OrderState.settledInSQL)
                    FROM passed CROSS JOIN items ON items.bucket = passed.bucket AND items.flow = passed.flow
                        CROSS JOIN orders ON orders.flow = items.flow
                    WHERE passed.bucket = ?1 AND passed.flow >= ?2 AND items.sku = ?3 ORDER BY passed.flow LIMIT ?4
                    """)
                try read(below, from: first)
            }
            let present = try SQLiteStatement(
                cachedBy: database,
                """
                SELECT \(columns), 0 FROM items CROSS JOIN orders ON orders.flow = items.flow
                WHERE items.bucket = ?1 AND items.flow >= ?2 AND items.sku = ?3 ORDER BY items.flow LIMIT ?4
                """)
            try read(present, from: max(first, watermark ?? first))
            return page
        }
    }

    private static func ledgerRow(_ sku: SKUNumber, _ row: SQLiteStatement) -> LedgerRow {
        let kind = ItemKind(rawValue: row.int32(3)) ?? .cancelled
        return LedgerRow(
            sku: sku, flow: row.flow(0), digest: OrderDigest(rawValue: UInt64(bitPattern: row.int64(1))),
            quantity: kind == .overCapacity ? 0 : row.int64(2), cancelled: kind == .cancelled, n: row.int64(4),
            mayBeArchived: row.int64(5) != 0)
    }

    public func heldUnits(sku: SKUNumber, after: BuyerID?, limit: Int) async throws -> [HeldUnits] {
        try await read { try Self.held($0, sku, after: after, limit: limit) }
    }

    static func held(_ database: Database, _ sku: SKUNumber, after: BuyerID?, limit: Int) throws -> [HeldUnits] {
        try Row.fetchAll(
            database,
            cached: "SELECT buyer, units FROM held WHERE sku = ? AND buyer > ? AND units > 0 ORDER BY buyer LIMIT ?",
            arguments: [sku.rawValue, Data(after?.bytes ?? []), max(0, limit)]
        ).compactMap { row in
            BuyerID(bytes: row[0] as Data).map { HeldUnits(sku: sku, buyer: $0, units: row[1]) }
        }
    }

    // MARK: The watermark

    public func raiseWatermark(bucket: BucketNumber, horizon: Duration, ordersMax: Int) async throws -> FlowID? {
        let now = clock.unixMilliseconds
        return try await write { database, _ in
            let present = try Self.requireBucket(database, bucket).watermark
            let newest = try Data.fetchOne(
                database, cached: "SELECT MAX(flow) FROM items WHERE bucket = ?", arguments: [bucket.rawValue]
            ).flatMap { FlowID(bytes: $0) }
            guard let newest else { return present }
            let latest =
                Int64(min(now, newest.milliseconds)) - horizon.components.seconds * 1_000
                - horizon.components.attoseconds / 1_000_000_000_000_000
            guard latest > 0 else { return present }
            var target = FlowID.earliest(atMilliseconds: UInt64(latest))
            let start = present ?? FlowID(high: 0, low: 0)
            guard target > start else { return present }
            let span: StatementArguments = [bucket.rawValue, Data(start.bytes), Data(target.bytes)]
            let far = try Data.fetchOne(
                database,
                cached:
                    "SELECT flow FROM items WHERE bucket = ? AND flow >= ? AND flow < ? ORDER BY flow LIMIT 1 OFFSET ?",
                arguments: span + [max(1, ordersMax)]
            ).flatMap { FlowID(bytes: $0) }
            if let far {
                // Whole milliseconds: that is all the scripts compare. One that holds more than a step's orders is passed whole.
                let step = FlowID.earliest(atMilliseconds: far.milliseconds)
                target = step > start ? step : FlowID.earliest(atMilliseconds: far.milliseconds + 1)
            }
            let passed: StatementArguments = [bucket.rawValue, Data(start.bytes), Data(target.bytes)]
            for table in ["items", "giveBacks"] {
                try database.execute(
                    cached: """
                        INSERT OR IGNORE INTO passed
                        SELECT DISTINCT bucket, flow FROM \(table) WHERE bucket = ? AND flow >= ? AND flow < ?
                        """, arguments: passed)
            }
            try database.execute(
                cached: "UPDATE buckets SET watermark = ? WHERE number = ?",
                arguments: [Data(target.bytes), bucket.rawValue])
            return target
        }
    }

    public func archivable(bucket: BucketNumber, after: FlowID?, limit: Int) async throws -> [ArchivableOrder] {
        try await read { database in
            let flows = try Data.fetchAll(
                database,
                cached:
                    "SELECT flow FROM passed WHERE bucket = ? AND flow > ? AND \(Self.isSettled) ORDER BY flow LIMIT ?",
                arguments: [bucket.rawValue, Data(after?.bytes ?? []), max(0, limit)])
            let items = try database.cachedStatement(sql: "SELECT sku FROM items WHERE bucket = ? AND flow = ?")
            let refused = try database.cachedStatement(
                sql: "SELECT lines FROM giveBacks WHERE flow = ? AND bucket = ?")
            return try flows.map { flow in
                var skus = Set(try Int32.fetchAll(items, arguments: [bucket.rawValue, flow]))
                for lines in try Data.fetchAll(refused, arguments: [flow, bucket.rawValue]) {
                    skus.formUnion(PackedLines.unpack(Array(lines)).map(\.sku.rawValue))
                }
                return ArchivableOrder(flow: Self.flow(flow), skus: skus.sorted().map(SKUNumber.init(rawValue:)))
            }
        }
    }

    public func noteArchived(bucket: BucketNumber, _ flows: [FlowID]) async throws {
        if flows.isEmpty { return }
        try await write { database, _ in
            let delete = try SQLiteStatement(cachedBy: database, "DELETE FROM passed WHERE bucket = ?1 AND flow = ?2")
            for flow in flows {
                delete.bind(1, bucket.rawValue)
                delete.bind(2, flow)
                try delete.run()
            }
        }
    }

    public func settlements(of orders: [Order]) async throws -> [OrderSettlement?] {
        try await read { database in
            let find = try SQLiteStatement(
                cachedBy: database, "SELECT bucket, digest, state FROM orders WHERE flow = ?1")
            return try orders.map { order -> OrderSettlement? in
                find.bind(1, order.flow)
                guard try find.next() else { return nil }
                defer { find.reset() }
                guard find.int32(0) == (order.wide?.home ?? order.bucket).rawValue,
                    find.int64(1) == Int64(order.digest.rawValue)
                else {
                    return .conflict
                }
                switch OrderState(rawValue: find.int64(2)) {
                case .reserved, .sold: return .committed
                case .void, .overCapacity: return .overCapacity
                case .partial: return .partial
                default: return .cancelled
                }
            }
        }
    }

    /// Who made the order of a flow and digest; `nil`: nobody that was named.
    static func buyerOf(_ database: Database, _ flow: Data, _ digest: Int64) throws -> BuyerID? {
        try Data.fetchOne(
            database, cached: "SELECT buyer FROM buyers WHERE flow = ? AND digest = ?", arguments: [flow, digest]
        ).flatMap { BuyerID(bytes: $0) }
    }
}

extension FlowID {
    /// The next 16 bytes in order.
    fileprivate var successor: FlowID {
        let (low, carries) = low.addingReportingOverflow(1)
        return FlowID(high: carries ? high &+ 1 : high, low: low)
    }
}
