import Foundation
import GRDB
public import Inventory
import Synchronization

/// Orders, counters and the audit trail.
extension SQLiteOrderStore {
    // MARK: Orders

    public func commit(_ batch: CommitBatch) async throws -> CommitResult {
        if batch.isEmpty { return CommitResult(entries: [], duplicates: [], payments: []) }
        return try await write { _, writer in try writer.commit(batch) }
    }

    public func cancel(_ orders: [Order]) async throws -> [CancelResult] {
        if orders.isEmpty { return [] }
        return try await write { _, writer in
            try writer.openBooks()
            let results = try orders.map { try writer.cancel($0) }
            try writer.closeBooks()
            return results
        }
    }

    public func pendingGiveBacks(limit: Int) async throws -> [GiveBack] {
        try await read { database in
            try Self.giveBacks(
                database, where: "doneEpoch IS NULL ORDER BY flow, digest LIMIT ?", arguments: [max(0, limit)])
        }
    }

    public func pendingGiveBacks(bucket: BucketNumber, limit: Int) async throws -> [GiveBack] {
        try await read { database in
            try Self.giveBacks(
                database, where: "bucket = ? AND doneEpoch IS NULL ORDER BY flow, digest LIMIT ?",
                arguments: [bucket.rawValue, max(0, limit)])
        }
    }

    private static func giveBacks(
        _ database: Database, where condition: String, arguments: StatementArguments
    ) throws -> [GiveBack] {
        // Named, because without statistics SQLite would rather walk all that were ever done.
        let sql = """
            SELECT flow, bucket, lines, digest,
                (SELECT buyer FROM buyers WHERE buyers.flow = giveBacks.flow AND buyers.digest = giveBacks.digest)
            FROM giveBacks INDEXED BY pendingGiveBacks WHERE \(condition)
            """
        return try Row.fetchAll(database.cachedStatement(sql: sql), arguments: arguments).map { row in
            let lines: Data = row[2]
            if let group = try group(database, flow: row[0], bucket: row[1], key: row[3]) {
                return GiveBack(order: group)
            }
            return GiveBack(
                order: Order(
                    trustedFlow: flow(row[0]), bucket: BucketNumber(rawValue: row[1]),
                    sortedLines: PackedLines.unpack(Array(lines)),
                    buyer: (row[4] as Data?).flatMap { BuyerID(bytes: $0) }))
        }
    }

    static func flow(_ data: Data) -> FlowID { FlowID(bytes: data) ?? FlowID(high: 0, low: 0) }

    public func pendingRestocks() async throws -> [Restock] {
        try await read { database in
            try Row.fetchAll(
                database.cachedStatement(
                    sql: "SELECT sku, fromVersion, units FROM restocks WHERE epoch IS NULL ORDER BY sku, fromVersion")
            ).map { Restock(sku: SKUNumber(rawValue: $0[0]), fromVersion: $0[1], units: $0[2]) }
        }
    }

    public func absent(_ flows: [FlowID]) async throws -> [FlowID] {
        try await read { database in
            let find = try SQLiteStatement(
                cachedBy: database, "SELECT 1 FROM orders WHERE flow = ?1 AND state NOT IN (5, 6, 8)")
            return try flows.filter { flow in
                find.bind(1, flow)
                defer { find.reset() }
                return try !find.next()
            }
        }
    }

    // MARK: Counters

    public func skuCounters() async throws -> [SKUCounters] { try await counters(where: "") }

    public func skuCounters(of bucket: BucketNumber) async throws -> [SKUCounters] {
        try await counters(where: "WHERE sku IN (SELECT number FROM skus WHERE bucket = ?1)", bucket)
    }

    private func counters(where condition: String, _ bucket: BucketNumber? = nil) async throws -> [SKUCounters] {
        try await read { database in
            let rows = try SQLiteStatement(
                cachedBy: database,
                "SELECT sku, allocated, sold, reserved, overCapacity, frozen FROM counters \(condition) ORDER BY sku")
            if let bucket { rows.bind(1, bucket.rawValue) }
            var counters: [SKUCounters] = []
            while try rows.next() {
                counters.append(
                    SKUCounters(
                        sku: SKUNumber(rawValue: rows.int32(0)), allocated: rows.int64(1), sold: rows.int64(2),
                        reserved: rows.int64(3), overCapacity: rows.int64(4), frozen: rows.int64(5) != 0))
            }
            return counters
        }
    }

    public func orderTotals() async throws -> OrderTotals {
        try await read { database in
            var counts: [Int64: Int64] = [:]
            for row in try Row.fetchAll(database, cached: "SELECT state, orders FROM orderCounts") {
                counts[row[0]] = row[1]
            }
            func count(_ state: OrderState) -> Int64 { counts[state.rawValue] ?? 0 }
            let giveBacks = "SELECT COUNT(*) FROM giveBacks INDEXED BY pendingGiveBacks WHERE doneEpoch IS NULL"
            return OrderTotals(
                reserved: count(.reserved), sold: count(.sold), cancelled: count(.cancelled), void: count(.void),
                overCapacity: count(.overCapacity), expired: count(.expired), partial: count(.partial),
                deadLetters: try Int64.fetchOne(
                    database, cached: "SELECT COUNT(*) FROM deadLetters WHERE settledAs IS NULL") ?? 0,
                pendingGiveBacks: try Int64.fetchOne(database, cached: giveBacks) ?? 0)
        }
    }

    // MARK: Audit

    public func audit(_ entry: AuditEntry) async throws {
        try await write { database, _ in
            try database.execute(
                cached:
                    "INSERT INTO audit (at, who, origin, what, subject, before, after) VALUES (?, ?, ?, ?, ?, ?, ?)",
                arguments: [
                    entry.atMilliseconds, entry.who, entry.origin, entry.what, entry.subject, entry.before, entry.after,
                ])
        }
    }

    public func auditTrail(limit: Int) async throws -> [AuditEntry] {
        try await read { database in
            try Row.fetchAll(database, cached: Self.auditRows, arguments: [0, max(0, limit)]).map(Self.auditEntry)
        }
    }

    public func auditNews(since mark: AuditMark?, limit: Int) async throws -> AuditNews {
        try await read { database in
            let newest = try Int64.fetchOne(database, cached: "SELECT MAX(number) FROM audit") ?? 0
            guard let mark, mark.number < newest, limit > 0 else {
                return AuditNews(entries: [], leftOut: 0, mark: AuditMark(number: newest))
            }
            let rows = try Row.fetchAll(database, cached: Self.auditRows, arguments: [mark.number, limit])
            // Rows are numbered without gaps, for none is ever taken away.
            return AuditNews(
                entries: rows.reversed().map(Self.auditEntry),
                leftOut: max(0, newest - mark.number - Int64(rows.count)), mark: AuditMark(number: newest))
        }
    }

    private static let auditRows =
        "SELECT at, who, origin, what, subject, before, after FROM audit WHERE number > ? ORDER BY number DESC LIMIT ?"

    private static func auditEntry(_ row: Row) -> AuditEntry {
        AuditEntry(
            atMilliseconds: row[0], who: row[1], origin: row[2], what: row[3], subject: row[4], before: row[5],
            after: row[6])
    }
}
