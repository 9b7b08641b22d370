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
            guard record.drainedThrough == id, try !Self.knowsBeyond(database, bucket, id) else { return false }
            let fold = try Self.fold(database, bucket: bucket, through: id, from: known)
            let flows = try Self.flows(database, bucket)
            guard fold.count == holding.count,
                holding.allSatisfy({ held in
                    guard let books = fold[held.sku] else { return false }
                    return books.allocated == held.allocated && books.version == held.version
                        && books.taken == held.taken && books.frozen == held.frozen
                        && flows[held.sku, default: 0] == held.flows
                })
            else { return false }
            for held in holding {
                try Self.writeBase(
                    database, bucket, claim, held.sku, taken: held.taken, allocated: held.allocated,
                    version: held.version)
            }
            return true
        }
    }

    /// Whether an entry after `id` of its epoch is settled.
    private static func knowsBeyond(_ database: Database, _ bucket: BucketNumber, _ id: OutboxID) throws -> Bool {
        try Bool.fetchOne(
            database, sql: "SELECT EXISTS (SELECT 1 FROM settled WHERE bucket = ? AND epoch >= ?)",
            arguments: [bucket.rawValue, id.epoch.rawValue]) ?? true
    }

    /// How many flows each SKU's ledger must have.
    private static func flows(_ database: Database, _ bucket: BucketNumber) throws -> [SKUNumber: Int64] {
        let rows = try SQLiteStatement(database, "SELECT sku, COUNT(*) FROM items WHERE bucket = ?1 GROUP BY sku")
        rows.bind(1, bucket.rawValue)
        var flows: [SKUNumber: Int64] = [:]
        while try rows.next() { flows[SKUNumber(rawValue: rows.int32(0))] = rows.int64(1) }
        return flows
    }

    /// Notes what Redis holds of a SKU at `<claim>-0`.
    static func writeBase(
        _ database: Database, _ bucket: BucketNumber, _ claim: Epoch, _ sku: SKUNumber, taken: Int64,
        allocated: Int64, version: Int64
    ) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO cutBase VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [bucket.rawValue, claim.rawValue, sku.rawValue, taken, allocated, version])
    }
}
