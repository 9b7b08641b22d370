import Inventory
import Telemetry

/// Tells what changed between two snapshots, in plain sentences.
struct EventTeller {
    private let events: EventLog
    private let catalogue: Catalogue
    private var nodes = NodeTeller()
    private var soldOut: Set<SKUNumber> = []
    /// Sold out and not told yet: the news come together, or they would drown the rest.
    private var soldOutUntold: [WarRoomSnapshot.SKU] = []
    private var soldOutToldAt: UInt64 = 0
    private var low: Set<SKUNumber> = []
    private var lowUntold: [WarRoomSnapshot.SKU] = []
    private var lowToldAt: UInt64 = 0
    private static let soldOutPauseMilliseconds: UInt64 = 4_000
    private var oversoldUnits: Int64 = 0
    private var lostOrders: Int64 = 0
    private var driftUnits: Int64 = 0
    private var told = false

    init(events: EventLog, catalogue: Catalogue) {
        self.events = events
        self.catalogue = catalogue
    }

    mutating func tell(_ snapshot: WarRoomSnapshot, isDemo: Bool) {
        nodes.tell(
            snapshot.nodes.map { .init(address: $0.address, isUp: $0.isUp, buckets: $0.buckets) }, to: events)
        tellSoldOut(snapshot)
        tellLow(snapshot)
        tellBooks(snapshot, isDemo: isDemo)
        told = true
    }

    /// What is gone and what is nearly gone: all that there is to tell where nobody knows the books.
    mutating func tellStock(_ snapshot: WarRoomSnapshot) {
        tellSoldOut(snapshot)
        tellLow(snapshot)
        told = true
    }

    private mutating func tellSoldOut(_ snapshot: WarRoomSnapshot) {
        for sku in snapshot.skus {
            guard let stock = sku.stock, !sku.fenced, sku.allocated > 0 else { continue }
            if stock == 0 {
                if soldOut.insert(sku.number).inserted, told { soldOutUntold.append(sku) }
            } else if stock > sku.allocated / 20 {
                // A few units that come back from failed payments are no news.
                soldOut.remove(sku.number)
            }
        }
        let now = WallClock.milliseconds
        guard let first = soldOutUntold.first, now - soldOutToldAt >= Self.soldOutPauseMilliseconds else { return }
        let names = soldOutUntold.prefix(3).map { "\($0.sku) \($0.name)" }.joined(separator: ", ")
        let others = soldOutUntold.count > 3 ? " and \((soldOutUntold.count - 3).counted("other"))" : ""
        let units = soldOutUntold.count == 1 ? ", all \(first.allocated.counted("unit"))" : ""
        events.add(.info, "\(names)\(others): sold out\(units)")
        soldOutUntold = []
        soldOutToldAt = now
    }

    /// What is nearly gone, told together like what is gone.
    private mutating func tellLow(_ snapshot: WarRoomSnapshot) {
        for sku in snapshot.skus {
            guard let stock = sku.stock, !sku.fenced, sku.allocated > 0 else { continue }
            let mark = Double(sku.allocated) * sku.lowShare
            if stock > 0, Double(stock) <= mark {
                if low.insert(sku.number).inserted, told { lowUntold.append(sku) }
            } else if Double(stock) > mark * 1.5 {
                low.remove(sku.number)
            }
        }
        let now = WallClock.milliseconds
        guard let first = lowUntold.first, now - lowToldAt >= Self.soldOutPauseMilliseconds else { return }
        let names = lowUntold.prefix(3).map { "\($0.sku) \($0.name)" }.joined(separator: ", ")
        let others = lowUntold.count > 3 ? " and \((lowUntold.count - 3).counted("other"))" : ""
        let left =
            lowUntold.count == 1 ? ", \((first.stock ?? 0).counted("unit")) left of \(first.allocated.inGroups)" : ""
        events.add(.info, "\(names)\(others): low\(left)")
        lowUntold = []
        lowToldAt = now
    }

    private mutating func tellBooks(_ snapshot: WarRoomSnapshot, isDemo: Bool) {
        let drift = snapshot.drift
        if drift.oversoldUnits > oversoldUnits, oversoldUnits == 0 {
            let worst = snapshot.skus.max { $0.oversold < $1.oversold }
            events.add(
                .bad,
                "OVERSOLD: more is promised than there is"
                    + (worst.map { ", first of all of \($0.sku) \($0.name): what a crash brought back was sold again" }
                        ?? ""))
        }
        oversoldUnits = drift.oversoldUnits
        if let lost = drift.lostOrders {
            if lost > lostOrders {
                events.add(
                    .bad,
                    "LOST: \(lost.counted("order")) (\((drift.lostUnits ?? 0).counted("unit"))) were told yes and are in neither Redis nor SQL"
                )
            }
            lostOrders = lost
        }
        if drift.units > 0 && driftUnits == 0 {
            events.add(
                .bad, "drift: Redis and SQL differ by \(drift.units.counted("unit")): \(drift.findings.first ?? "")")
        } else if drift.units == 0 && driftUnits > 0 {
            events.add(.good, "drift is 0 again: Redis and SQL agree to the unit")
        }
        driftUnits = drift.units
    }
}
