public import Checker
import Foundation
public import GRDB
public import Inventory

/// The end of a tortured sale as it stands in SQL's tables and in Redis's ledgers, read raw: none of the code that wrote it takes
/// part. The rig and the simulation read by it, each from its own servers.
public enum FinalBooks {
    /// How many rows there are of `what`: a table, with a condition if need be.
    public static func count(_ database: Database, _ what: String) throws -> Int64 {
        try Int64.fetchOne(database, sql: "SELECT COUNT(*) FROM \(what)") ?? 0
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

    private static func flow(_ row: Row) -> FlowID? { FlowID(bytes: [UInt8](row["flow"] as Data)) }

    /// Every order with its lines.
    public static func readOrders(_ database: Database, _ final: inout FinalState) throws {
        var lines: [FlowID: [OrderLine]] = [:]
        for row in try Row.fetchAll(database, sql: "SELECT flow, sku, quantity FROM items ORDER BY flow, sku") {
            guard let flow = flow(row) else { continue }
            lines[flow, default: []].append(
                OrderLine(sku: SKUNumber(rawValue: row["sku"]), quantity: row["quantity"]))
        }
        for row in try Row.fetchAll(database, sql: Self.orders) {
            guard let flow = flow(row), var state = states[row["state"]] else {
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

    /// Movements, bases, restocks, give-backs, stand-ins, and how many dead letters wait.
    public static func readBooks(_ database: Database, _ final: inout FinalState) throws {
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
                .init(sku: SKUNumber(rawValue: row["sku"]), units: row["units"], id: id(row["epoch"], row["n"])))
        }
        for row in try Row.fetchAll(database, sql: "SELECT flow, lines, doneEpoch, doneN FROM giveBacks") {
            guard let flow = flow(row) else { continue }
            final.giveBacks.append(
                .init(
                    flow: flow, lines: lines([UInt8](row["lines"] as Data)), id: id(row["doneEpoch"], row["doneN"])))
        }
        for row in try Row.fetchAll(database, sql: "SELECT flow, again FROM payments WHERE again IS NOT NULL") {
            guard let flow = flow(row), let again = FlowID(bytes: [UInt8](row["again"] as Data)) else { continue }
            final.standIns.append(.init(flow: flow, again: again))
        }
        final.deadLetters = try count(database, "deadLetters WHERE settledAt IS NULL")
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

    // MARK: Redis's ledgers

    /// A field of a SKU's ledger and its value: the SKU's control, or a flow.
    public static func read(field: [UInt8]?, _ value: [UInt8]?, into sku: inout FinalState.SKU) {
        guard let field, let value = value.map({ String(decoding: $0, as: UTF8.self) }) else { return }
        if field == [UInt8(ascii: "#")] {
            let control = value.split(separator: " ").compactMap { Int64($0) }
            guard control.count >= 5 else { return }
            sku.redisAllocated = control[0]
            sku.redisTaken = control[2]
            sku.redisIsFrozen = control[3] == 1
        } else if let flow = FlowID(bytes: field), let mark = value.firstIndex(where: { $0 == "t" || $0 == "c" }),
            let quantity = Int64(value[..<mark])
        {
            sku.redisLedger.append(.init(flow: flow, quantity: quantity, isCancelled: value[mark] == "c"))
        }
    }
}
