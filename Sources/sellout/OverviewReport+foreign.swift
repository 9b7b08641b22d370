import Dashboard
import Redis
import Telemetry

extension OverviewReport {
    /// Keys that somebody else sells from: what stands in them, and nothing that only SQL could tell.
    init(watched snapshot: WarRoomSnapshot) {
        sale = snapshot.saleName
        state = "watched"
        topology = snapshot.topology
        redis = snapshot.redisURL
        totals = Totals(
            deductionsPerSecond: Self.tenths(snapshot.orders.acceptedPerSecond),
            oversoldUnits: snapshot.drift.oversoldUnits, redisBytes: snapshot.ledger.redisBytes)
        alerts = snapshot.alerts.map { Alert(severity: "\($0.severity)", text: $0.text) }
        // As they were found says nothing to anybody.
        let sorted = snapshot.skus.sorted {
            (Int($0.sku) ?? .max, $0.sku, $0.name) < (Int($1.sku) ?? .max, $1.sku, $1.name)
        }
        skus = sorted.map { sku in
            SKU(
                sku: sku.sku, name: sku.name, state: Self.word(sku.state), stockUnits: sku.stock,
                deductionsPerSecond: Self.tenths(sku.unitsPerSecond), tag: sku.tag,
                slot: HashSlot.of(Array(sku.name.utf8)),
                node: sku.node.flatMap { snapshot.nodes.indices.contains($0) ? snapshot.nodes[$0].address : nil })
        }
        nodes = snapshot.nodes.map { node in
            Node(
                node: node.address, state: node.isUp ? "UP" : "DOWN", callsPerSecond: Self.tenths(node.callsPerSecond),
                p99Milliseconds: Self.tenths(node.p99Milliseconds), errors: node.errors)
        }
    }
}
