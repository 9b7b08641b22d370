import Inventory
import Telemetry

/// What is wrong now, each with its numbers: conditions, of which `AlertBook` makes alerts.
enum Alerts {
    /// An alert holds until its figure is below this share of the threshold at which it started.
    static let holdShare = 0.8

    static func of(
        _ snapshot: WarRoomSnapshot, storeError: String?, findings: [Preflight.Finding] = [],
        evicted: [String: Int64] = [:], leaseOverdue: Duration? = nil, thresholds: AlertThresholds = AlertThresholds()
    ) -> [AlertCondition] {
        var all: [AlertCondition] = []
        func add(
            _ kind: AlertCondition.Kind, _ severity: WarRoomSnapshot.Event.Severity, _ text: String,
            subject: String = "", isOver: Bool = true
        ) {
            all.append(
                AlertCondition(kind: kind, subject: subject, severity: severity, text: text, isOver: isOver))
        }
        let (drift, ledger) = (snapshot.drift, snapshot.ledger)
        if drift.oversoldUnits > 0 {
            let skus = snapshot.skus.filter { $0.oversold > 0 }.sorted { $0.oversold > $1.oversold }
            let names = skus.prefix(3).map { "\($0.sku) by \($0.oversold)" }.joined(separator: ", ")
            add(
                .oversold, .bad,
                "OVERSOLD: \(drift.oversoldUnits.counted("unit")) more than there are\(names.isEmpty ? "" : ": \(names)")"
            )
        }
        if let lost = drift.lostOrders, lost > 0 {
            add(
                .lost, .bad,
                "LOST: \(lost.counted("acknowledged order")) (\((drift.lostUnits ?? 0).counted("unit"))) \(lost == 1 ? "is" : "are") in no book"
            )
        }
        for (index, node) in snapshot.nodes.enumerated() where !node.isUp {
            add(
                .nodeDown, .bad,
                "node \(index + 1) down \(tenths(node.sinceSeconds)) s: \(node.buckets.counted("bucket")) not selling",
                subject: node.address)
        }
        if snapshot.fencedBuckets > 0 {
            add(
                .fenced, .warning,
                "\(snapshot.fencedBuckets) of \(snapshot.bucketCount.counted("bucket")) fenced: rebuilding from SQL")
        }
        if drift.units >= 1 {
            let limit = Double(max(1, thresholds.driftUnits))
            if Double(drift.units) >= limit * holdShare {
                add(
                    .drift, .bad, "DRIFT: Redis and SQL differ by \(drift.units.counted("unit")); R compares and plans",
                    isOver: Double(drift.units) >= limit)
            }
        }
        if snapshot.haltedAheadBuckets > 0 {
            add(
                .haltedAhead, .bad,
                "\(snapshot.haltedAheadBuckets) of \(snapshot.bucketCount.counted("bucket")) "
                    + "\(snapshot.haltedAheadBuckets == 1 ? "refuses" : "refuse") orders while SQL calls the sale "
                    + "open: a halt did not reach SQL. Halt the sale once more, then open it")
        }
        if let leaseOverdue {
            add(
                .paused, .bad,
                "PAUSED: SQL has not answered for \(leaseOverdue.formatted), and replicas need it for a yes")
        }
        for finding in findings where finding.kind != .silent {
            add(
                .promise, finding.haltsSale ? .bad : .warning, finding.sentence,
                subject: "\(finding.kind.rawValue) \(finding.node)")
        }
        for (node, keys) in evicted where keys > 0 {
            add(
                .evicted, .bad, "EVICTED: \(node) has dropped \(keys.counted("key")) for lack of memory",
                subject: node)
        }
        if let storeError { add(.store, .bad, "SQL: \(storeError)") }
        let age = ledger.backlogMilliseconds
        if ledger.isUnattended {
            add(
                .unattended, .bad,
                "nobody takes \(ledger.backlogEntries.inGroups) outbox \(ledger.backlogEntries == 1 ? "entry" : "entries") "
                    + "to SQL, for \(tenths(Double(age) / 1_000)) s: sellout reconcile --repair does"
            )
        } else if Double(age) > Double(thresholds.outboxAgeMilliseconds) * holdShare {
            add(
                .outboxAge, .warning,
                "SQL is \(tenths(Double(age) / 1_000)) s behind: \(ledger.backlogEntries.inGroups) \(ledger.backlogEntries == 1 ? "entry of the outbox waits" : "outbox entries wait")",
                isOver: age > thresholds.outboxAgeMilliseconds)
        }
        if ledger.deadLetters > 0 {
            add(
                .deadLetters, .warning,
                "\(ledger.deadLetters.counted("dead letter")) for a person: sellout dead-letters lists them")
        }
        if snapshot.life.refundsPending > 0 {
            add(
                .refunds, .warning,
                "\(snapshot.life.refundsPending.counted("refund")) to be paid: sellout refunds lists them")
        }
        if let low = lowStock(snapshot) { all.append(low) }
        return all
    }

    /// A SKU stays low until half as much again is there: units that come back from failed payments are no news.
    static let lowHoldFactor = 1.5

    /// What is nearly gone, all of it in one sentence: in a flash sale that is the aim, so it is told, not shouted.
    private static func lowStock(_ snapshot: WarRoomSnapshot) -> AlertCondition? {
        var (low, near) = (0, 0)
        // The least of those that are low, and of those that only keep the alert.
        var (first, firstNear): (WarRoomSnapshot.SKU?, WarRoomSnapshot.SKU?)
        for sku in snapshot.skus {
            guard let stock = sku.stock, stock > 0, sku.allocated > 0, !sku.fenced else { continue }
            let mark = Double(sku.allocated) * sku.lowShare
            if Double(stock) <= mark {
                low += 1
                if first.map({ stock < $0.stock ?? 0 }) ?? true { first = sku }
            } else if Double(stock) <= mark * lowHoldFactor {
                near += 1
                if firstNear.map({ stock < $0.stock ?? 0 }) ?? true { firstNear = sku }
            }
        }
        guard low + near > 0 else { return nil }
        let worst =
            (first ?? firstNear).map {
                ", least of \($0.sku) \($0.name): \(($0.stock ?? 0).inGroups) of \($0.allocated.inGroups)"
            }
            ?? ""
        return AlertCondition(
            kind: .lowStock, severity: .info,
            text: "LOW: \(max(low, 1).counted("SKU")) nearly gone\(worst)", isOver: low > 0)
    }

    static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
