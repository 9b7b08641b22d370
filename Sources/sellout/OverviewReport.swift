import Dashboard
import Deduction
import Inventory
import Telemetry
import TerminalUI

/// What the overview shows, under the names that scripts read. What nobody can know is null.
struct OverviewReport: Encodable {
    struct SKU: Encodable {
        var sku: String
        var name: String
        /// `OK HOT LOW SOLD OUT FROZEN FENCED OVERSOLD`, as on screen.
        var state: String
        @OrNull var allocatedUnits: Int64? = nil
        @OrNull var stockUnits: Int64? = nil
        @OrNull var soldUnits: Int64? = nil
        var deductionsPerSecond: Double
        var tag: String
        var slot: Int
        @OrNull var node: String? = nil
    }

    struct Node: Encodable {
        var node: String
        /// `UP`, `FENCED` where buckets of it are, `DOWN`.
        var state: String
        /// The highest among its buckets: each recovery of one begins another.
        @OrNull var epoch: Int64? = nil
        var callsPerSecond: Double
        var p99Milliseconds: Double
        var errors: UInt64
    }

    struct Alert: Encodable {
        var severity: String
        var text: String
    }

    struct Totals: Encodable {
        var deductionsPerSecond: Double
        @OrNull var acknowledgedOrders: Int64? = nil
        @OrNull var releasedOrders: Int64? = nil
        @OrNull var oversoldUnits: Int64? = nil
        @OrNull var driftUnits: Int64? = nil
        @OrNull var outboxBacklog: Int64? = nil
        @OrNull var outboxMilliseconds: Int64? = nil
        @OrNull var fencedBuckets: Int? = nil
        @OrNull var deadLetters: Int64? = nil
        @OrNull var redisBytes: Int64? = nil
    }

    var sale: String
    /// The sale's, or `watched` where keys alone are looked at.
    var state: String
    @OrNull var durability: String? = nil
    var topology: String
    var redis: String
    @OrNull var orders: String? = nil
    var totals: Totals
    var alerts: [Alert]
    var nodes: [Node]
    var skus: [SKU]

    /// - Parameter epochs: of each bucket, by SQL.
    init(_ snapshot: WarRoomSnapshot, _ catalogue: Catalogue, epochs: [BucketNumber: Int64]) {
        sale = snapshot.saleName
        state = snapshot.saleState.rawValue
        durability = snapshot.durability.rawValue
        topology = snapshot.topology
        redis = snapshot.redisURL
        orders = snapshot.ordersURL
        totals = Totals(
            deductionsPerSecond: Self.tenths(snapshot.orders.acceptedPerSecond),
            acknowledgedOrders: snapshot.orders.accepted, releasedOrders: snapshot.orders.released,
            oversoldUnits: snapshot.drift.oversoldUnits, driftUnits: snapshot.drift.units,
            outboxBacklog: snapshot.ledger.backlogEntries, outboxMilliseconds: snapshot.ledger.backlogMilliseconds,
            fencedBuckets: snapshot.fencedBuckets, deadLetters: snapshot.ledger.deadLetters,
            redisBytes: snapshot.ledger.redisBytes)
        alerts = snapshot.alerts.map { Alert(severity: "\($0.severity)", text: $0.text) }
        let slots = catalogue.buckets.map { BucketKeys(bucket: $0, catalogue: catalogue).slot }
        var epochOfNode: [Int: Int64] = [:]
        skus = snapshot.skus.map { sku in
            let entry = catalogue[sku.number]
            let position = entry.flatMap { catalogue.position(of: $0.bucket) }
            if let node = sku.node, let bucket = entry?.bucket {
                epochOfNode[node] = max(epochOfNode[node] ?? 0, epochs[bucket] ?? 0)
            }
            return SKU(
                sku: sku.sku, name: sku.name, state: Self.word(sku.state), allocatedUnits: sku.allocated,
                stockUnits: sku.stock, soldUnits: sku.taken, deductionsPerSecond: Self.tenths(sku.unitsPerSecond),
                tag: sku.tag, slot: position.map { slots[$0] } ?? -1,
                node: sku.node.flatMap { snapshot.nodes.indices.contains($0) ? snapshot.nodes[$0].address : nil })
        }
        nodes = snapshot.nodes.enumerated().map { index, node in
            Node(
                node: node.address, state: !node.isUp ? "DOWN" : node.fencedBuckets > 0 ? "FENCED" : "UP",
                epoch: epochOfNode[index] ?? 0, callsPerSecond: Self.tenths(node.callsPerSecond),
                p99Milliseconds: Self.tenths(node.p99Milliseconds), errors: node.errors)
        }
    }

    static func tenths(_ value: Double) -> Double {
        value.isFinite ? (value * 10).rounded() / 10 : 0
    }

    /// The word alone: how many units are oversold stands in the figures.
    static func word(_ state: StockState) -> String {
        if case .oversold = state { "OVERSOLD" } else { state.word }
    }

    // MARK: Text

    /// The same for people, in columns; text from outside is made harmless.
    var text: String {
        var lines = [
            ([PlainText.line(sale), state.uppercased(), PlainText.line(topology)] + [durability].compactMap { $0 })
                .joined(separator: "  "),
            ([redis] + [orders].compactMap { $0 }).map(PlainText.line).joined(separator: "  "),
        ]
        var parts = ["\(number(totals.deductionsPerSecond)) \(orders == nil ? "units" : "orders")/s"]
        func add(_ count: (some BinaryInteger)?, _ noun: String) { if let count { parts.append("\(count) \(noun)") } }
        add(totals.acknowledgedOrders, "accepted")
        add(totals.releasedOrders, "released")
        add(totals.oversoldUnits, "units oversold")
        add(totals.driftUnits, "units of drift")
        add(totals.outboxBacklog, "outbox entries (\(totals.outboxMilliseconds ?? 0) ms)")
        if let fenced = totals.fencedBuckets { parts.append("\(fenced.counted("bucket")) fenced") }
        lines.append(parts.joined(separator: ", ") + (orders == nil ? "; no SQL: what was sold is not known" : ""))
        lines += alerts.map { "\($0.severity.uppercased()) \(PlainText.line($0.text))" }
        lines.append("")
        lines += Self.table(
            ["node", "state", "epoch", "calls/s", "p99 ms", "errors"],
            nodes.map {
                [
                    $0.node, $0.state, $0.epoch.map { "\($0)" } ?? "-", number($0.callsPerSecond),
                    number($0.p99Milliseconds),
                    "\($0.errors)",
                ]
            }, left: 2)
        lines.append("")
        lines += Self.table(
            ["sku", "name", "state", "allocated", "stock", "sold", "/s", "tag", "slot", "node"],
            skus.map { sku in
                [
                    sku.sku, sku.name, sku.state, sku.allocatedUnits.map { "\($0)" } ?? "-",
                    sku.stockUnits.map { "\($0)" } ?? "-", sku.soldUnits.map { "\($0)" } ?? "-",
                    number(sku.deductionsPerSecond), sku.tag, "\(sku.slot)", sku.node ?? "-",
                ]
            }, left: 3)
        return lines.joined(separator: "\n")
    }

    private func number(_ value: Double) -> String { Formats.decimals(value, 1) }

    /// The widest a column of text gets; what is longer is cut.
    private static let columnMax = 32

    /// - Parameter left: so many columns are text, the others numbers.
    private static func table(_ head: [String], _ rows: [[String]], left: Int) -> [String] {
        let cells = ([head] + rows).map { $0.map { SafeText.fitted(PlainText.line($0), width: columnMax) } }
        let widths = head.indices.map { column in cells.map { SafeText.width($0[column]) }.max() ?? 0 }
        return cells.map { row in
            let line = row.enumerated().map { column, text in
                let isLast = column == row.count - 1
                return column < left || isLast
                    ? (isLast ? text : Formats.leading(text, widths[column])) : Formats.padded(text, widths[column])
            }.joined(separator: "  ")
            return line
        }
    }
}
