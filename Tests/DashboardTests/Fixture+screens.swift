import Dashboard
import Inventory
import Telemetry

/// What the large screens show, made up.
extension Fixture {
    static func fillScreens(_ snapshot: inout WarRoomSnapshot) {
        var dice = Dice(23)
        var rates = [Double](repeating: 0, count: 64)
        for index in snapshot.skus.indices {
            rates[index % 64] += snapshot.skus[index].unitsPerSecond
            snapshot.skus[index].ledgerEntries = snapshot.skus[index].taken * 9 / 10
            if index < 200, snapshot.saleState == .open {
                snapshot.skus[index].hour = (0..<290).map { tenth in
                    Float(snapshot.skus[index].unitsPerSecond * (0.1 + 0.9 * dice.share()) * (tenth > 140 ? 1 : 0.3))
                }
            }
        }
        for index in snapshot.nodes.indices {
            let third = 16_384 / 3
            snapshot.nodes[index].slots = [index * third...(index == 2 ? 16_383 : (index + 1) * third - 1)]
            snapshot.nodes[index].p50Milliseconds = snapshot.nodes[index].p99Milliseconds / 3
            snapshot.nodes[index].inFlight = snapshot.saleState == .open ? 3 + index : 0
        }
        snapshot.buckets = (0..<64).map { index in
            let slot = (index * 5_237 + 811) % 16_384
            return WarRoomSnapshot.Bucket(
                tag: tag(index), slot: slot, node: min(2, slot / 5_461), ordersPerSecond: rates[index] * 0.8,
                skuCount: snapshot.skus.count / 64, skus: (0..<4).map { "\(1001 + index + $0 * 64)" }, epoch: 4,
                backlog: Int64(index % 9))
        }.sorted { $0.slot < $1.slot }
        snapshot.counts.reserved = 8_211
        snapshot.counts.sold = 1_164_797
        snapshot.counts.cancelled = 30_122
        snapshot.ledger.memoryLimitBytes = 2_000_000_000
        if snapshot.saleState == .open {
            snapshot.ledger.memoryFullSeconds = 11_400
            snapshot.series.backlog = (0..<90).map { _ in Float(200 + dice.below(300)) }
            snapshot.series.lag = (0..<90).map { _ in Float(10 + dice.below(20)) }
            snapshot.series.memory = (0..<60).map { Float(60_000_000 + $0 * 900_000) }
        }
        snapshot.series.drift = (0..<60).map { index in
            var point = WarRoomSnapshot.DriftPoint(
                atMilliseconds: start + UInt64(index) * 2_000, units: 0,
                byKind: [.inFlight: Int64(200 + dice.below(300))])
            if snapshot.drift.units > 0 && index > 40 {
                point.units = snapshot.drift.units
                point.byKind[.lostInRedis] = snapshot.drift.units
            }
            return point
        }
    }

    static let flows = (0..<40).map { index in
        FlowID(
            high: (start + UInt64(40_000 - index * 731)) << 16 | 0x7000,
            low: 0x8a1b_22c3_0d4e_0000 + UInt64(index) * 7_919)
    }

    static let acts = [
        AuditSight(
            atMilliseconds: start + 41_000, who: "ada", origin: "shop-1 4711", what: "restock", subject: "1001",
            before: "8250 allocated", after: "8500 allocated"),
        AuditSight(
            atMilliseconds: start + 31_000, who: "ada", origin: "shop-1 4711", what: "freeze", subject: "1005",
            before: "selling", after: "frozen"),
        AuditSight(
            atMilliseconds: start + 30_000, who: "bob", origin: "shop-2 99", what: "open", subject: "sale", before: "",
            after: "refused: node 2 evicts keys (allkeys-lru): a sale needs noeviction"),
        AuditSight(
            atMilliseconds: start + 12_000, who: "ada", origin: "shop-1 4711", what: "open", subject: "sale",
            before: "warmed", after: "open"),
    ]

    static let kinds: [OrderKind] = [.sold, .reserved, .sold, .sold, .cancelled, .reserved, .expired, .sold]

    static func sight(_ look: Look) -> Sight {
        switch look {
        case .sku:
            return .sku(
                SKUSight(
                    entries: flows.enumerated().map { index, flow in
                        SKUSight.Entry(
                            flow: flow.description, atMilliseconds: flow.milliseconds, units: Int64(1 + index % 3),
                            kind: kinds[index % 8], isInRedis: index == 6 ? nil : index != 3)
                    }, acts: Array(acts.prefix(1))))
        case .orders(let kind):
            return .orders(
                flows.enumerated().filter { kind == nil || kinds[$0.offset % 8] == kind }.map { order($0.offset) })
        case .order: return .order(order(2))
        case .audit: return .audit(acts)
        case .nodes:
            return .nodes(
                (0..<3).map { index in
                    ServerSight(
                        address: "127.0.0.1:\(41001 + index)", version: "7.0.15", uptimeSeconds: 5_400,
                        appendOnly: "everysec", evictionPolicy: "noeviction", memoryBytes: 51_000_000,
                        memoryLimitBytes: index == 0 ? 700_000_000 : nil, clients: 9, commandsPerSecond: 812,
                        evictedKeys: 0, expiredKeys: 0,
                        replicas: index == 1
                            ? [.init(address: "127.0.0.1:41005", isOnline: true, behindBytes: 0)] : [])
                })
        case .losers: return .losers(LosersSight(policy: "newestFirst"))
        }
    }

    static func order(_ index: Int) -> OrderSight {
        OrderSight(
            flow: flows[index].description, atMilliseconds: flows[index].milliseconds, kind: kinds[index % 8],
            lines: (0...index % 2).map {
                .init(
                    sku: SKUNumber(rawValue: Int32(index + 1 + $0 * 64)), name: "\(1001 + index + $0 * 64)",
                    units: 1 + Int64($0))
            }, entry: "\(tag(index)) 4-\(1_042 + index)", deadlineMilliseconds: flows[index].milliseconds + 600_000)
    }
}

extension Driver {
    /// Answers whatever the screen asked for, and keeps what else came out.
    mutating func answer(_ sight: (Look) -> Sight = Fixture.sight) {
        for effect in taken() {
            if case .look(let look) = effect { send(.seen(look, sight(look))) } else { keep(effect) }
        }
    }
}
