import Inventory
import Telemetry

/// What is wrong now, worst first, each with its numbers.
enum Alerts {
    static func of(
        _ snapshot: WarRoomSnapshot, storeError: String?, findings: [Preflight.Finding] = [],
        leaseOverdue: Duration? = nil, thresholds: AlertThresholds = AlertThresholds()
    ) -> [WarRoomSnapshot.Alert] {
        var alerts: [WarRoomSnapshot.Alert] = []
        func add(_ severity: WarRoomSnapshot.Event.Severity, _ text: String) {
            alerts.append(WarRoomSnapshot.Alert(severity: severity, text: text))
        }
        let drift = snapshot.drift
        if drift.oversoldUnits > 0 {
            let skus = snapshot.skus.filter { $0.oversold > 0 }.sorted { $0.oversold > $1.oversold }
            let names = skus.prefix(3).map { "\($0.sku) by \($0.oversold)" }.joined(separator: ", ")
            add(
                .bad,
                "OVERSOLD: \(drift.oversoldUnits.counted("unit")) more than there are\(names.isEmpty ? "" : ": \(names)")"
            )
        }
        if let lost = drift.lostOrders, lost > 0 {
            add(.bad, "LOST: \(lost) acknowledged orders (\((drift.lostUnits ?? 0).counted("unit"))) are in no book")
        }
        for (index, node) in snapshot.nodes.enumerated() where !node.isUp {
            add(
                .bad,
                "node \(index + 1) down \(tenths(node.sinceSeconds)) s: \(node.buckets.counted("bucket")) not selling")
        }
        if snapshot.fencedBuckets > 0 {
            add(
                .warning,
                "\(snapshot.fencedBuckets) of \(snapshot.bucketCount.counted("bucket")) fenced: rebuilding from SQL")
        }
        if drift.units >= max(1, thresholds.driftUnits) {
            add(.bad, "DRIFT: Redis and SQL differ by \(drift.units.counted("unit")); R compares and plans")
        }
        if let leaseOverdue {
            add(.bad, "PAUSED: SQL has not answered for \(leaseOverdue.formatted), and replicas need it for a yes")
        }
        for finding in findings where finding.kind != .silent {
            add(finding.haltsSale ? .bad : .warning, finding.sentence)
        }
        if let storeError { add(.bad, "SQL: \(storeError)") }
        if snapshot.ledger.isUnattended {
            add(
                .bad,
                "nobody takes \(snapshot.ledger.backlogEntries) outbox entries to SQL, for "
                    + "\(tenths(Double(snapshot.ledger.backlogMilliseconds) / 1_000)) s: sellout reconcile --repair does"
            )
        } else if snapshot.ledger.backlogMilliseconds > thresholds.outboxAgeMilliseconds {
            add(
                .warning,
                "SQL is \(tenths(Double(snapshot.ledger.backlogMilliseconds) / 1_000)) s behind: "
                    + "\(snapshot.ledger.backlogEntries) outbox entries wait")
        }
        if snapshot.ledger.deadLetters > 0 {
            add(
                .warning,
                "\(snapshot.ledger.deadLetters.counted("dead letter")) for a person: sellout dead-letters lists them")
        }
        if snapshot.life.refundsPending > 0 {
            add(.warning, "\(snapshot.life.refundsPending.counted("refund")) to be paid: sellout refunds lists them")
        }
        return alerts.sorted { $0.severity > $1.severity }
    }

    static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
