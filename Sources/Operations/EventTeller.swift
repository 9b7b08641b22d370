import Inventory
import Telemetry

/// Tells what changed between two snapshots, in plain sentences.
struct EventTeller {
    private let events: EventLog
    private let catalogue: Catalogue
    private var nodes = NodeTeller()
    private var stock = StockTeller()
    private var oversoldUnits: Int64 = 0
    private var lostOrders: Int64 = 0
    private var driftUnits: Int64 = 0

    init(events: EventLog, catalogue: Catalogue) {
        self.events = events
        self.catalogue = catalogue
    }

    mutating func tell(_ snapshot: WarRoomSnapshot, isDemo: Bool) {
        nodes.tell(
            snapshot.nodes.map { .init(address: $0.address, isUp: $0.isUp, buckets: $0.buckets) }, to: events)
        tellStock(snapshot)
        tellBooks(snapshot, isDemo: isDemo)
    }

    /// What is gone and what is nearly gone: all that there is to tell where nobody knows the books.
    mutating func tellStock(_ snapshot: WarRoomSnapshot) {
        for sentence in stock.tell(snapshot.skus, milliseconds: WallClock.milliseconds) { events.add(.info, sentence) }
    }

    private mutating func tellBooks(_ snapshot: WarRoomSnapshot, isDemo: Bool) {
        let drift = snapshot.drift
        if drift.oversoldUnits > oversoldUnits, oversoldUnits == 0 {
            let worst = snapshot.skus.max { $0.oversold < $1.oversold }
            events.add(
                .bad,
                "OVERSOLD: more is promised than there is"
                    + (worst.map { ", first of all of \($0.sku) \($0.name): what a crash brought back was sold again" }
                        ?? ""),
                of: .oversold)
        }
        oversoldUnits = drift.oversoldUnits
        if let lost = drift.lostOrders {
            if lost > lostOrders {
                events.add(
                    .bad,
                    "LOST: \(lost.counted("order")) (\((drift.lostUnits ?? 0).counted("unit"))) were told yes and are in neither Redis nor SQL",
                    of: .lost)
            }
            lostOrders = lost
        }
        if drift.units > 0 && driftUnits == 0 {
            events.add(
                .bad, "drift: Redis and SQL differ by \(drift.units.counted("unit")): \(drift.findings.first ?? "")",
                of: .drift)
        } else if drift.units == 0 && driftUnits > 0 {
            events.add(.good, "drift is 0 again: Redis and SQL agree to the unit", of: .drift)
        }
        driftUnits = drift.units
    }
}
