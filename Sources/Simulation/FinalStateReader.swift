import Checker
import Foundation
import GRDB
import Inventory
import OrderStore
import Redis

/// Reads what both stores hold at the end: SQL's tables as they stand in the file, Redis's keys as they lie in the nodes. None of
/// the code that wrote them takes part.
struct FinalStateReader {
    let path: String
    /// The node of a slot.
    let node: (Int) -> SimulatedNode

    func read() throws -> FinalState {
        var configuration = Configuration()
        configuration.readonly = true
        let file = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? file.close() }
        return try file.read { try read($0) }
    }

    private func read(_ database: Database) throws -> FinalState {
        var final = FinalState()
        try readBuckets(database, &final)
        try readSKUs(database, &final)
        try readOrders(database, &final)
        try readBooks(database, &final)
        return final
    }

    private func readBuckets(_ database: Database, _ final: inout FinalState) throws {
        for row in try Row.fetchAll(
            database, sql: "SELECT number, tag, epoch, state, drainedEpoch, drainedN FROM buckets")
        {
            let tag: String = row["tag"]
            let epoch: Int64 = row["epoch"]
            let control = Array("sc_{\(tag)}".utf8)
            let node = node(HashSlot.of(control))
            let redisEpoch = node.read(Array("HGET".utf8), control, Array("epoch".utf8)).int
            let state = node.read(Array("HGET".utf8), control, Array("state".utf8)).string
            let n = node.read(Array("HGET".utf8), control, Array("n".utf8)).int ?? 0
            let drained: Int64 = row["drainedEpoch"] == epoch ? row["drainedN"] : 0
            final.buckets.append(
                .init(
                    bucket: BucketNumber(rawValue: row["number"]), tag: tag, epoch: epoch,
                    isOpen: row["state"] == "open" && redisEpoch == epoch && state == "open", redisEpoch: redisEpoch,
                    backlog: max(0, n - drained),
                    watermarkMilliseconds: node.read(Array("HGET".utf8), control, Array("watermark".utf8)).bytes
                        .flatMap { FlowID(bytes: $0) }?.milliseconds))
        }
    }

    private func readSKUs(_ database: Database, _ final: inout FinalState) throws {
        for row in try Row.fetchAll(
            database,
            sql: """
                SELECT c.sku, c.bucket, c.allocated, c.sold, c.reserved, c.overCapacity, s.sku AS name, b.tag
                FROM counters c JOIN skus s ON s.number = c.sku JOIN buckets b ON b.number = c.bucket
                """)
        {
            let (name, tag): (String, String) = (row["name"], row["tag"])
            let (stockKey, ledgerKey) = (Array("ss_{\(tag)}\(name)".utf8), Array("sx_{\(tag)}\(name)".utf8))
            let node = node(HashSlot.of(stockKey))
            let fields = node.read(Array("HGETALL".utf8), ledgerKey).array ?? []
            var ledger: [FinalState.LedgerEntry] = []
            var control: [Int64] = []
            for position in stride(from: 0, to: fields.count - 1, by: 2) {
                guard let field = fields[position].bytes, let value = fields[position + 1].bytes else { continue }
                if field == [UInt8(ascii: "#")] {
                    control = String(decoding: value, as: UTF8.self).split(separator: " ").compactMap { Int64($0) }
                } else if let flow = FlowID(bytes: field),
                    let mark = value.firstIndex(where: { $0 == UInt8(ascii: "t") || $0 == UInt8(ascii: "c") }),
                    let quantity = Int64(String(decoding: value[..<mark], as: UTF8.self))
                {
                    ledger.append(
                        .init(flow: flow, quantity: quantity, isCancelled: value[mark] == UInt8(ascii: "c")))
                }
            }
            final.skus.append(
                .init(
                    sku: SKUNumber(rawValue: row["sku"]), bucket: BucketNumber(rawValue: row["bucket"]),
                    allocated: row["allocated"], sold: row["sold"], reserved: row["reserved"],
                    overCapacity: row["overCapacity"],
                    redisStock: node.read(Array("GET".utf8), stockKey).int,
                    redisAllocated: control.count >= 5 ? control[0] : nil,
                    redisTaken: control.count >= 5 ? control[2] : nil, redisLedger: ledger))
        }
    }

    private func readOrders(_ database: Database, _ final: inout FinalState) throws {
        var lines: [FlowID: [OrderLine]] = [:]
        for row in try Row.fetchAll(database, sql: "SELECT flow, sku, quantity FROM items ORDER BY flow, sku") {
            guard let flow = FlowID(bytes: [UInt8](row["flow"] as Data)) else { continue }
            lines[flow, default: []].append(
                OrderLine(sku: SKUNumber(rawValue: row["sku"]), quantity: row["quantity"]))
        }
        for row in try Row.fetchAll(database, sql: Self.orders) {
            guard let flow = FlowID(bytes: [UInt8](row["flow"] as Data)), var state = Self.states[row["state"]] else {
                final.unread.append("an order of state \(row["state"] as Int64) cannot be read")
                continue
            }
            if state == .cancelled, row["isTakenBack"] { state = .refunded }
            final.orders.append(
                .init(
                    flow: flow, state: state, lines: lines[flow] ?? [],
                    id: OutboxID(epoch: Epoch(rawValue: row["epoch"]), n: row["n"])))
        }
    }

    /// Every order, and whether it was lost (5) or oversold (6) and is paid back for that.
    private static let orders = """
        SELECT flow, epoch, n, state,
            EXISTS (SELECT 1 FROM refunds WHERE refunds.flow = orders.flow AND reason IN (5, 6)) AS isTakenBack
        FROM orders
        """

    /// `orders.state` in the file.
    private static let states: [Int64: FinalState.OrderState] = [
        2: .reserved, 3: .sold, 4: .cancelled, 5: .void, 6: .overCapacity, 7: .expired, 8: .partial, 9: .refunded,
    ]

    private func readBooks(_ database: Database, _ final: inout FinalState) throws {
        for row in try Row.fetchAll(database, sql: "SELECT bucket, epoch, n, sku, quantity FROM ledger") {
            final.movements.append(
                .init(
                    bucket: BucketNumber(rawValue: row["bucket"]),
                    id: OutboxID(epoch: Epoch(rawValue: row["epoch"]), n: row["n"]),
                    sku: SKUNumber(rawValue: row["sku"]), quantity: row["quantity"]))
        }
        for row in try Row.fetchAll(database, sql: "SELECT bucket, epoch, sku, taken, allocated FROM cutBase") {
            final.bases.append(
                .init(
                    bucket: BucketNumber(rawValue: row["bucket"]), epoch: row["epoch"],
                    sku: SKUNumber(rawValue: row["sku"]), taken: row["taken"], allocated: row["allocated"]))
        }
        for row in try Row.fetchAll(database, sql: "SELECT sku, units, epoch, n FROM restocks") {
            final.restocks.append(
                .init(sku: SKUNumber(rawValue: row["sku"]), units: row["units"], id: Self.id(row["epoch"], row["n"])))
        }
        for row in try Row.fetchAll(database, sql: "SELECT flow, lines, doneEpoch, doneN FROM giveBacks") {
            guard let flow = FlowID(bytes: [UInt8](row["flow"] as Data)) else { continue }
            final.giveBacks.append(
                .init(
                    flow: flow, lines: Self.lines([UInt8](row["lines"] as Data)),
                    id: Self.id(row["doneEpoch"], row["doneN"])))
        }
        for row in try Row.fetchAll(database, sql: "SELECT flow, again FROM payments WHERE again IS NOT NULL") {
            guard let flow = FlowID(bytes: [UInt8](row["flow"] as Data)),
                let again = FlowID(bytes: [UInt8](row["again"] as Data))
            else { continue }
            final.standIns.append(.init(flow: flow, again: again))
        }
        final.deadLetters = try Int64.fetchOne(database, sql: "SELECT COUNT(*) FROM deadLetters") ?? 0
    }

    private static func id(_ epoch: Int64?, _ n: Int64?) -> OutboxID? {
        guard let epoch, let n else { return nil }
        return OutboxID(epoch: Epoch(rawValue: epoch), n: n)
    }

    /// SKU number and quantity, 4 bytes each, little endian.
    private static func lines(_ bytes: [UInt8]) -> [OrderLine] {
        func number(_ at: Int) -> Int32 {
            (0..<4).reduce(Int32(0)) { $0 | Int32(bytes[at + $1]) << Int32(8 * $1) }
        }
        return stride(from: 0, to: bytes.count / 8 * 8, by: 8).map {
            OrderLine(sku: SKUNumber(rawValue: number($0)), quantity: number($0 + 4))
        }
    }
}
