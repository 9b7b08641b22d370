import Checker
import FinalBooks
import Foundation
import GRDB
import Inventory
import Redis

/// Reads both stores raw: SQL's tables as they stand in the file, Redis's keys as they lie in the servers. None of the code that
/// wrote them takes part.
struct TortureReader {
    private static let patience = Duration.seconds(10)

    let path: String
    let fleet: EmbeddedFleet
    let sale: TortureSale

    /// What is still under way between the stores.
    struct Pending: Sendable, CustomStringConvertible {
        var giveBacks: Int64 = 0
        var restocks: Int64 = 0
        var closedBuckets: Int64 = 0
        /// Orders over several buckets that are not whole, and payments that wait.
        var halfDone: Int64 = 0
        var backlog: Int64 = 0
        /// Buckets that have not heard of the last act.
        var acts: Int64 = 0
        var isNothing: Bool { giveBacks + restocks + closedBuckets + halfDone + backlog + acts == 0 }
        var description: String {
            "\(giveBacks) give-backs, \(restocks) restocks, \(closedBuckets) closed buckets, \(halfDone) half-done orders and payments, \(backlog) entries, \(acts) acts"
        }
    }

    func pending() async throws -> Pending {
        var pending = try withFile { database in
            var pending = Pending()
            pending.giveBacks = try FinalBooks.count(database, "giveBacks WHERE doneEpoch IS NULL")
            pending.restocks = try FinalBooks.count(database, "restocks WHERE epoch IS NULL")
            pending.closedBuckets = try FinalBooks.count(database, "buckets WHERE state <> 'open'")
            pending.halfDone = try FinalBooks.count(database, "wideOrders WHERE since IS NOT NULL")
            pending.halfDone += try FinalBooks.count(database, "payments WHERE state IN (1, 2)")
            // What may still expire would do so between two readings.
            if sale.reservationTimeoutMilliseconds != nil {
                pending.halfDone += try FinalBooks.count(database, "orders WHERE state = 2")
            }
            return pending
        }
        var final = FinalState()
        try await readBuckets(&final)
        pending.backlog = final.buckets.reduce(0) { $0 + $1.backlog }
        pending.acts = Int64(final.buckets.count { $0.act != $0.redisAct })
        pending.closedBuckets = max(pending.closedBuckets, Int64(final.buckets.count { !$0.isOpen }))
        return pending
    }

    /// Everything; what cannot be read stands in `unread`.
    func read() async -> FinalState {
        var final = FinalState()
        do {
            // Ledgers before watermarks: engines go on archiving, and what they take out of a ledger lies below the later mark.
            try await readSKUs(&final)
            try await readBuckets(&final)
            try withFile { database in
                try FinalBooks.readOrders(database, &final)
                try FinalBooks.readBooks(database, &final)
            }
        } catch {
            final.unread.append("the end cannot be read: \(error)")
        }
        return final
    }

    private func withFile<Value>(_ body: (Database) throws -> Value) throws -> Value {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        let file = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? file.close() }
        return try file.read(body)
    }

    // MARK: Redis

    private func withServer<Value>(
        ofTag tag: String, _ body: (RedisConnection) async throws -> Value
    ) async throws -> Value {
        let shard = fleet.shard(ofSlot: HashSlot.of("{\(tag)}"))
        // Where it listens, behind no proxy.
        let node = fleet.nodes[fleet.master(ofShard: shard)]
        let connection = try RedisConnection(address: node.address)
        defer { connection.close() }
        return try await body(connection)
    }

    private func ask(_ connection: RedisConnection, _ words: String...) async throws -> RedisReply {
        var command = RedisCommand(words[0])
        for word in words.dropFirst() { command.append(Array(word.utf8)) }
        return try await connection.call(command, deadline: .now + Self.patience)
    }

    private func readBuckets(_ final: inout FinalState) async throws {
        let rows = try withFile { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT number, tag, epoch, state, drainedEpoch, drainedN, act, (SELECT state FROM sales) AS saleState
                    FROM buckets
                    """
            ).map {
                (
                    number: $0["number"] as Int32, tag: $0["tag"] as String, epoch: $0["epoch"] as Int64,
                    state: $0["state"] as String, drainedEpoch: $0["drainedEpoch"] as Int64,
                    drainedN: $0["drainedN"] as Int64, act: $0["act"] as Int64, saleState: $0["saleState"] as String
                )
            }
        }
        for row in rows {
            let (epoch, state, n, watermark, act) = try await withServer(ofTag: row.tag) { connection in
                let fields =
                    try await ask(connection, "HMGET", "sc_{\(row.tag)}", "epoch", "state", "n", "watermark", "act")
                    .array ?? []
                return (
                    fields.first?.int, fields.count > 1 ? fields[1].string : nil,
                    fields.count > 2 ? fields[2].int : nil,
                    fields.count > 3 ? fields[3].bytes.flatMap { FlowID(bytes: $0) }?.milliseconds : nil,
                    fields.count > 4 ? fields[4].int : nil
                )
            }
            let drained = row.drainedEpoch == row.epoch ? row.drainedN : 0
            final.buckets.append(
                .init(
                    bucket: BucketNumber(rawValue: row.number), tag: row.tag, epoch: row.epoch,
                    isOpen: row.state == "open" && epoch == row.epoch && state == "open", redisEpoch: epoch,
                    backlog: max(0, (n ?? 0) - drained), watermarkMilliseconds: watermark))
            let last = final.buckets.count - 1
            final.buckets[last].state = row.saleState
            final.buckets[last].act = row.act
            final.buckets[last].redisState = state
            final.buckets[last].redisAct = act
        }
    }

    private func readSKUs(_ final: inout FinalState) async throws {
        let rows = try withFile { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT c.sku, c.bucket, c.allocated, c.sold, c.reserved, c.overCapacity, c.frozen, s.sku AS name, b.tag
                    FROM counters c JOIN skus s ON s.number = c.sku JOIN buckets b ON b.number = c.bucket
                    """
            ).map { row in
                (
                    sku: FinalState.SKU(
                        sku: SKUNumber(rawValue: row["sku"]), bucket: BucketNumber(rawValue: row["bucket"]),
                        allocated: row["allocated"], sold: row["sold"], reserved: row["reserved"],
                        overCapacity: row["overCapacity"], redisStock: nil, redisAllocated: nil, redisTaken: nil,
                        redisLedger: []), name: row["name"] as String, tag: row["tag"] as String,
                    isFrozen: row["frozen"] as Bool
                )
            }
        }
        let start = Dictionary(uniqueKeysWithValues: sale.skus.map { ($0.number, $0) })
        for row in rows {
            var sku = row.sku
            sku.allocatedAtStart = start[sku.sku]?.allocated
            sku.limitPerBuyer = start[sku.sku]?.limitPerBuyer
            let (stock, fields) = try await withServer(ofTag: row.tag) { connection in
                let stock = try await ask(connection, "GET", "ss_{\(row.tag)}\(row.name)").int
                let fields = try await ask(connection, "HGETALL", "sx_{\(row.tag)}\(row.name)").array ?? []
                return (stock, fields)
            }
            sku.redisStock = stock
            sku.isFrozen = row.isFrozen
            for position in stride(from: 0, to: fields.count - 1, by: 2) {
                FinalBooks.read(field: fields[position].bytes, fields[position + 1].bytes, into: &sku)
            }
            final.skus.append(sku)
        }
    }
}
