import GRDB
public import Inventory
import Synchronization

/// Recovery without rebuilding.
extension SQLiteOrderStore {
    public func reopen(
        bucket: BucketNumber, claim: Epoch, at id: OutboxID, holding: [HeldSKU]
    ) async throws -> Bool {
        let known = cuts.withLock { $0[bucket] }
        return try await write { database, _ in
            let record = try Self.requireBucket(database, bucket)
            guard record.epoch == claim, record.state == .recovering else { throw Self.stale(claim, record) }
            guard record.drainedThrough == id, try !Self.knowsBeyond(database, bucket, id),
                try !Self.wasFoldedBeyond(database, bucket, id)
            else { return false }
            let books = try CutReader(database).books(record, through: id, from: known).books
            let fold = Dictionary(uniqueKeysWithValues: books.skus.map { ($0.sku, $0.fold) })
            let fields = try Self.fields(database, bucket, from: record.watermark)
            guard fold.count == holding.count,
                holding.allSatisfy({ held in
                    guard let books = fold[held.sku] else { return false }
                    return books.allocated == held.allocated && books.version == held.version
                        && books.taken == held.taken && books.frozen == held.frozen
                        && fields[held.sku, default: 0...0].contains(held.flows)
                })
            else { return false }
            let base = try BaseWriter(database, bucket, claim)
            for held in holding {
                try base.write(held.sku, taken: held.taken, allocated: held.allocated, version: held.version)
            }
            return true
        }
    }

    /// Whether an entry after `id` of its epoch is settled.
    private static func knowsBeyond(_ database: Database, _ bucket: BucketNumber, _ id: OutboxID) throws -> Bool {
        try Bool.fetchOne(
            database, cached: "SELECT EXISTS (SELECT 1 FROM settled WHERE bucket = ? AND epoch >= ?)",
            arguments: [bucket.rawValue, id.epoch.rawValue]) ?? true
    }

    /// Whether a recovery folded the bucket after `id`, and died before it had written all of that to Redis: its fold ended
    /// give-backs and restocks which Redis has not heard of, and what it settled may have moved counters.
    private static func wasFoldedBeyond(_ database: Database, _ bucket: BucketNumber, _ id: OutboxID) throws -> Bool {
        try Bool.fetchOne(
            database, cached: "SELECT EXISTS (SELECT 1 FROM cutBase WHERE bucket = ? AND epoch > ?)",
            arguments: [bucket.rawValue, id.epoch.rawValue]) ?? true
    }

    /// How many fields each SKU's ledger must have: flows and buyers. What is settled below the watermark may be there still.
    private static func fields(
        _ database: Database, _ bucket: BucketNumber, from watermark: FlowID?
    ) throws -> [SKUNumber: ClosedRange<Int64>] {
        var least: [SKUNumber: Int64] = [:]
        var most: [SKUNumber: Int64] = [:]
        func count(_ sql: String, surely: Bool, _ flow: FlowID? = nil) throws {
            let rows = try SQLiteStatement(cachedBy: database, sql)
            rows.bind(1, bucket.rawValue)
            if let flow { rows.bind(2, flow) }
            while try rows.next() {
                let sku = SKUNumber(rawValue: rows.int32(0))
                most[sku, default: 0] += rows.int64(1)
                least[sku, default: 0] += surely ? rows.int64(1) : 0
            }
        }
        try count(
            "SELECT sku, COUNT(*) FROM items WHERE bucket = ?1 AND flow >= ?2 GROUP BY sku", surely: true,
            watermark ?? FlowID(high: 0, low: 0))
        let passed = """
            SELECT items.sku, COUNT(*) FROM passed CROSS JOIN items
            ON items.bucket = passed.bucket AND items.flow = passed.flow
            WHERE passed.bucket = ?1 AND
            """
        try count("\(passed) NOT (\(isSettled)) GROUP BY items.sku", surely: true)
        try count("\(passed) \(isSettled) GROUP BY items.sku", surely: false)
        try count(
            """
            SELECT held.sku, COUNT(*) FROM held JOIN skus ON skus.number = held.sku
            WHERE skus.bucket = ?1 AND units > 0 GROUP BY held.sku
            """, surely: true)
        return most.reduce(into: [:]) { $0[$1.key] = least[$1.key, default: 0]...$1.value }
    }
}

/// Notes what Redis holds of a bucket's SKUs at `<claim>-0`.
struct BaseWriter {
    private let insert: SQLiteStatement

    init(_ database: Database, _ bucket: BucketNumber, _ claim: Epoch) throws {
        insert = try SQLiteStatement(
            cachedBy: database, "INSERT OR REPLACE INTO cutBase VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        insert.bind(1, bucket.rawValue)
        insert.bind(2, claim.rawValue)
    }

    func write(_ sku: SKUNumber, taken: Int64, allocated: Int64, version: Int64) throws {
        insert.bind(3, sku.rawValue)
        insert.bind(4, taken)
        insert.bind(5, allocated)
        insert.bind(6, version)
        try insert.run()
    }
}
