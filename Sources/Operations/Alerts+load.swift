import Inventory
import Telemetry

extension Alerts {
    /// Orders a second below which a share of them says nothing.
    private static let rateMin = 100.0
    /// A lopsidedness below this is none, whatever the threshold.
    private static let skewMin = 1.1
    /// Seconds to full at which it cannot wait.
    private static let fullSoonSeconds = 300.0

    /// What is wrong with the load, or will be: a slot that takes most of it, a node that takes more than its part, calls that fail,
    /// memory that runs out.
    static func ofLoad(
        _ snapshot: WarRoomSnapshot, trends: TrendBook, memoryLimits: [String: Int64], thresholds: AlertThresholds
    ) -> [AlertCondition] {
        var all: [AlertCondition] = []
        let rates = snapshot.nodes.map(\.ordersPerSecond)
        let total = rates.reduce(0, +)
        if total >= rateMin * holdShare {
            let isLoad = total >= rateMin
            // A slot of the only server can be moved nowhere: that most orders go to it is no news but what sells.
            if let hottest = snapshot.hottestTags.first, snapshot.bucketCount >= 4, rates.count > 1 {
                let share = hottest.ordersPerSecond / total
                if share >= thresholds.hotSlotShare * holdShare {
                    let node = hottest.node.map { " on node \($0 + 1)" } ?? ""
                    all.append(
                        AlertCondition(
                            kind: .hotSlot, severity: .warning,
                            text: "HOT SLOT: \(percent(share)) of all orders go to slot \(hottest.slot) "
                                + "(tag \(hottest.tag))\(node): \(hottest.skus.joined(separator: ", "))",
                            isOver: isLoad && share >= thresholds.hotSlotShare))
                }
            }
            let mean = total / Double(rates.count)
            if rates.count > 1, let worst = rates.indices.max(by: { rates[$0] < rates[$1] }),
                rates[worst] / mean >= max(skewMin, thresholds.skewRatio * holdShare)
            {
                all.append(
                    AlertCondition(
                        kind: .skew, severity: .warning,
                        text: "SKEW: node \(worst + 1) takes \(percent(rates[worst] / total)) of all orders, "
                            + "\(tenths(rates[worst] / mean)) times the mean of \(rates.count) nodes",
                        isOver: isLoad && rates[worst] / mean >= thresholds.skewRatio))
            }
        }
        for (index, node) in snapshot.nodes.enumerated() where node.isUp {
            if let (share, errors) = trends.errorShare(node.address), errors > 0,
                share >= thresholds.errorShare * holdShare
            {
                all.append(
                    AlertCondition(
                        kind: .errors, subject: node.address, severity: .bad,
                        text: "node \(index + 1) (\(node.address)): \(percent(share)) of its calls failed in the last "
                            + "minute, \(errors.inGroups) in all", isOver: share >= thresholds.errorShare))
            }
            if let limit = memoryLimits[node.address],
                let left = trends.secondsUntilFull(node.address, limit: limit),
                left <= thresholds.memorySeconds / holdShare
            {
                all.append(
                    AlertCondition(
                        kind: .memory, subject: node.address, severity: left < fullSoonSeconds ? .bad : .warning,
                        text: "node \(index + 1) (\(node.address)) is full in \(minutes(left)) at this growth: "
                            + "\((node.memoryBytes ?? 0) / 1_048_576) of \(limit / 1_048_576) MiB used",
                        isOver: left <= thresholds.memorySeconds))
            }
        }
        return all
    }

    private static func percent(_ share: Double) -> String { "\(tenths(min(1, share) * 100)) %" }

    private static func minutes(_ seconds: Double) -> String {
        seconds < 90 ? "\(Int(seconds)) s" : "\(Int((seconds / 60).rounded())) min"
    }
}
