import Checker
import FinalBooks
import Foundation
import GRDB
import Inventory
import OrderStore
import Redis

/// Reads what both stores hold at the end: SQL's tables as they are, Redis's keys as they lie in the nodes. None of
/// the code that wrote them takes part.
struct FinalStateReader {
    let tables: SQLiteMemory
    /// The node of a slot.
    let node: (Int) -> SimulatedNode

    func read() throws -> FinalState {
        try tables.read { try read($0) }
    }

    private func read(_ database: Database) throws -> FinalState {
        var final = FinalState()
        try readBuckets(database, &final)
        try readSKUs(database, &final)
        try FinalBooks.readOrders(database, &final)
        try FinalBooks.readBooks(database, &final)
        return final
    }

    private func readBuckets(_ database: Database, _ final: inout FinalState) throws {
        for row in try Row.fetchAll(
            database,
            sql: """
                SELECT number, tag, epoch, state, drainedEpoch, drainedN, act, (SELECT state FROM sales) AS saleState
                FROM buckets
                """)
        {
            let tag: String = row["tag"]
            let epoch: Int64 = row["epoch"]
            let control = Array("sc_{\(tag)}".utf8)
            let node = node(HashSlot.of(control))
            let redisEpoch = node.read(Array("HGET".utf8), control, Array("epoch".utf8)).int
            let state = node.read(Array("HGET".utf8), control, Array("state".utf8)).string
            let n = node.read(Array("HGET".utf8), control, Array("n".utf8)).int ?? 0
            let isClosed = row["saleState"] == "closed"
            let drained: Int64 = row["drainedEpoch"] == epoch ? row["drainedN"] : 0
            final.buckets.append(
                .init(
                    bucket: BucketNumber(rawValue: row["number"]), tag: tag, epoch: epoch,
                    isOpen: row["state"] == "open" && redisEpoch == epoch && state == (isClosed ? "closed" : "open"),
                    redisEpoch: redisEpoch,
                    backlog: max(0, n - drained),
                    watermarkMilliseconds: node.read(Array("HGET".utf8), control, Array("watermark".utf8)).bytes
                        .flatMap { FlowID(bytes: $0) }?.milliseconds))
            let last = final.buckets.count - 1
            final.buckets[last].state = row["saleState"]
            final.buckets[last].act = row["act"]
            final.buckets[last].redisState = state
            final.buckets[last].redisAct = node.read(Array("HGET".utf8), control, Array("act".utf8)).int
        }
    }

    private func readSKUs(_ database: Database, _ final: inout FinalState) throws {
        for row in try Row.fetchAll(
            database,
            sql: """
                SELECT c.sku, c.bucket, c.allocated, c.sold, c.reserved, c.overCapacity, c.frozen, s.sku AS name, b.tag
                FROM counters c JOIN skus s ON s.number = c.sku JOIN buckets b ON b.number = c.bucket
                """)
        {
            let (name, tag): (String, String) = (row["name"], row["tag"])
            let (stockKey, ledgerKey) = (Array("ss_{\(tag)}\(name)".utf8), Array("sx_{\(tag)}\(name)".utf8))
            let node = node(HashSlot.of(stockKey))
            let fields = node.read(Array("HGETALL".utf8), ledgerKey).array ?? []
            var sku = FinalState.SKU(
                sku: SKUNumber(rawValue: row["sku"]), bucket: BucketNumber(rawValue: row["bucket"]),
                allocated: row["allocated"], sold: row["sold"], reserved: row["reserved"],
                overCapacity: row["overCapacity"], redisStock: node.read(Array("GET".utf8), stockKey).int,
                redisAllocated: nil, redisTaken: nil, redisLedger: [])
            sku.isFrozen = row["frozen"]
            for position in stride(from: 0, to: fields.count - 1, by: 2) {
                FinalBooks.read(field: fields[position].bytes, fields[position + 1].bytes, into: &sku)
            }
            final.skus.append(sku)
        }
    }
}
