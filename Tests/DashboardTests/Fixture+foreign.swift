import Dashboard
import Inventory
import Telemetry

/// Somebody else's keys, and a sale that promised more than there is.
extension Fixture {
    /// - Parameter isForbidden: the server allows neither INFO nor the ledgers' lengths.
    static func foreign(isForbidden: Bool = false) -> WarRoomSnapshot {
        var dice = Dice(41)
        var snapshot = WarRoomSnapshot(
            phase: .live, saleName: "ss_{tag}_sku", saleState: .open, durability: .memory, topology: "cluster 3",
            redisURL: "redis://watcher@10.0.0.1:6379")
        snapshot.foreign = .init(
            stockKeys: "ss_{tag}_sku", ledgerKeys: "sx_{tag}_sku", scan: "480 SKUs in 12 slots", sweepSeconds: 2,
            readsPerSecond: 480, readsPerSecondMax: 10_000)
        snapshot.foreign?.isScanned = true
        snapshot.nodes = (0..<3).map { index in
            var node = WarRoomSnapshot.Node(
                address: "10.0.0.\(index + 1):6379", isUp: true, sinceSeconds: 5_400, ordersPerSecond: 0,
                callsPerSecond: 160, p99Milliseconds: 0.4, errors: 0, buckets: 4, fencedBuckets: 0,
                memoryBytes: isForbidden ? nil : 88_000_000 + Int64(index) * 1_000_000)
            node.slots = [index * 5_461...min(16_383, (index + 1) * 5_461 - 1)]
            node.p50Milliseconds = 0.2
            return node
        }
        snapshot.skus = (0..<480).map { index in
            let bucket = index % 12
            let rate = index < 60 ? 900 / Double(index + 3) : 0
            let stock: Int64? = index == 300 ? nil : index == 7 ? -3 : index % 40 == 9 ? 0 : Int64(dice.below(4_000))
            var sku = WarRoomSnapshot.SKU(
                number: SKUNumber(rawValue: Int32(index)), sku: "SHOE-\(100_200 + index)",
                name: "ss_{t\(bucket)}_SHOE-\(100_200 + index)", tag: "t\(bucket)", node: bucket % 3, allocated: 4_000,
                stock: stock, taken: 4_000 - max(0, stock ?? 4_000), unitsPerSecond: rate,
                history: index < 60 ? (0..<60).map { _ in Float(rate * (0.4 + dice.share())) } : [], frozen: false,
                fenced: false, oversold: 0)
            sku.isForeign = true
            sku.ledgerEntries = isForbidden ? nil : sku.taken * 3 / 4
            return sku
        }
        snapshot.buckets = (0..<12).map { index in
            let members = snapshot.skus.filter { $0.tag == "t\(index)" }
            return WarRoomSnapshot.Bucket(
                tag: "t\(index)", slot: (index * 1_365 + 7) % 16_384, node: index % 3,
                ordersPerSecond: members.reduce(0) { $0 + $1.unitsPerSecond }, skuCount: members.count,
                skus: members.prefix(4).map(\.sku), epoch: nil, backlog: 0)
        }.sorted { $0.slot < $1.slot }
        snapshot.hottestTags = snapshot.buckets.sorted { $0.ordersPerSecond > $1.ordersPerSecond }.prefix(10).map {
            .init(
                tag: $0.tag, slot: $0.slot, node: $0.node, ordersPerSecond: $0.ordersPerSecond, skus: $0.skus,
                fenced: false)
        }
        snapshot.bucketCount = 12
        let rate = snapshot.skus.reduce(0) { $0 + $1.unitsPerSecond }
        for index in snapshot.nodes.indices {
            snapshot.nodes[index].ordersPerSecond = snapshot.buckets.filter { $0.node == index }
                .reduce(0) { $0 + $1.ordersPerSecond }
        }
        snapshot.orders.acceptedPerSecond = rate
        snapshot.orders.accepted = 812_344
        snapshot.orders.history = (0..<60).map { _ in Float(rate * (0.5 + dice.share() / 2)) }
        snapshot.ledger.entries = snapshot.skus.reduce(0) { $0 + ($1.ledgerEntries ?? 0) }
        snapshot.ledger.entriesPerSecond = rate
        snapshot.ledger.history = snapshot.orders.history
        snapshot.ledger.redisBytes = isForbidden ? nil : 267_000_000
        snapshot.drift.oversoldUnits = 3
        if isForbidden {
            snapshot.denied = [.init(part: .memory, rule: "+info"), .init(part: .ledger, rule: "+hlen")]
        }
        return snapshot
    }

    static let losers = LosersSight(
        losers: flows.prefix(5).map { "\($0): 2 × 1001" }, takenIn: ["\(flows[9]): 1 × 1002, paid"],
        policy: "newest first", losersCount: 19)

    static func settling(_ policy: SettlingPolicy, id: Int = 9) -> SettlingPlan {
        SettlingPlan(
            id: id, policy: policy,
            lines: flows.prefix(19).map { "\($0)  2 × 1001, not paid: loses" }
                + ["\(flows[30])  1 × 1002, paid: is taken in"], losers: 19, takenIn: 1)
    }
}
