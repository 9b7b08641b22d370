import Telemetry

/// Something that is worth an alert, or would keep one that holds.
struct AlertCondition: Sendable, Hashable {
    typealias Kind = WarRoomSnapshot.Alert.Kind

    var kind: Kind
    /// Which node or slot, where there may be several of a kind.
    var subject = ""
    var severity: WarRoomSnapshot.Event.Severity
    var text: String
    /// Past the threshold at which an alert starts; else only one that holds already goes on.
    var isOver = true
}

/// Which alerts hold, since when, which began and which ended: a value. An alert starts past its threshold, and ends once it has stayed
/// clear of a lower one: what wavers about a threshold is one alert, not many.
struct AlertBook: Sendable {
    /// What changed with a look, in sentences for the events.
    struct News: Sendable, Hashable {
        var severity: WarRoomSnapshot.Event.Severity
        var text: String
        var alert: WarRoomSnapshot.Alert.Kind
        var subject: String
    }

    private struct Entry {
        var condition: AlertCondition
        /// Since when the condition is over its threshold without a break.
        var begun: Double
        var begunMilliseconds: UInt64
        /// Whether it has lasted long enough to be an alert.
        var holds: Bool
        var seen: Double
    }

    private struct Key: Hashable {
        var kind: AlertCondition.Kind
        var subject: String
    }

    private var entries: [Key: Entry] = [:]

    /// - Parameters:
    ///   - seconds: of a clock that never steps back.
    ///   - unixMilliseconds: for people.
    mutating func take(
        _ conditions: [AlertCondition], seconds: Double, unixMilliseconds: UInt64
    ) -> (alerts: [WarRoomSnapshot.Alert], news: [News]) {
        var news: [News] = []
        for condition in conditions {
            let key = Key(kind: condition.kind, subject: condition.subject)
            var entry: Entry
            if let known = entries[key] {
                entry = known
                // What has not held yet must stay over its threshold to begin.
                if !entry.holds && !condition.isOver {
                    entries[key] = nil
                    continue
                }
            } else {
                guard condition.isOver else { continue }
                entry = Entry(
                    condition: condition, begun: seconds, begunMilliseconds: unixMilliseconds, holds: false,
                    seen: seconds)
            }
            entry.condition = condition
            entry.seen = seconds
            if !entry.holds, seconds - entry.begun >= condition.kind.secondsToStart {
                entry.holds = true
                if condition.kind.isToldHere {
                    news.append(
                        News(
                            severity: condition.severity, text: condition.text, alert: condition.kind,
                            subject: condition.subject))
                }
            }
            entries[key] = entry
        }
        for (key, entry) in entries.sorted(by: { $0.key.kind < $1.key.kind }) {
            let calm = seconds - entry.seen
            if !entry.holds, calm > 0 { entries[key] = nil }
            guard entry.holds, calm > 0, calm >= key.kind.secondsToEnd else { continue }
            entries[key] = nil
            // Worse in another way, or out of sight, is not better.
            if [.outboxAge, .unattended].contains(key.kind),
                conditions.contains(where: { [.outboxAge, .unattended, .nodeDown, .store].contains($0.kind) })
            {
                continue
            }
            if let words = key.kind.relief(key.subject) {
                news.append(
                    News(
                        severity: .good,
                        text: "\(words), after \(Duration.seconds(entry.seen - entry.begun).formatted)",
                        alert: key.kind, subject: key.subject))
            }
        }
        let alerts = entries.values.filter(\.holds).sorted {
            ($1.condition.severity, $0.condition.kind, $0.begun, $0.condition.subject)
                < ($0.condition.severity, $1.condition.kind, $1.begun, $1.condition.subject)
        }.map { entry in
            WarRoomSnapshot.Alert(
                severity: entry.condition.severity, text: entry.condition.text, kind: entry.condition.kind,
                subject: entry.condition.subject, sinceMilliseconds: entry.begunMilliseconds)
        }
        return (alerts, news)
    }
}

extension WarRoomSnapshot.Alert.Kind {
    /// How long the condition lasts before it is an alert: load wavers, damage does not.
    var secondsToStart: Double {
        switch self {
        case .hotSlot, .skew: 3
        case .memory, .haltedAhead: 2
        default: 0
        }
    }

    /// How long it must be clear before the alert ends.
    var secondsToEnd: Double {
        switch self {
        case .hotSlot, .skew, .errors, .memory: 5
        case .outboxAge, .lowStock, .drift: 1
        default: 0
        }
    }

    /// The subject of the alert that keys expire; else it is the server that evicted.
    static let expiringSubject = "expiring"

    /// Whether nobody else tells its beginning among the events.
    var isToldHere: Bool {
        switch self {
        case .evicted, .unattended, .errors, .memory, .outboxAge, .hotSlot, .skew, .deadLetters, .refunds, .store: true
        case .oversold, .lost, .nodeDown, .drift, .paused, .promise, .fenced, .lowStock, .other: false
        case .haltedAhead: true
        }
    }

    /// What is said when it ends; `nil`: somebody else says it, or there is nothing to say.
    func relief(_ subject: String) -> String? {
        switch self {
        case .oversold: "nothing is oversold any more"
        case .haltedAhead: "every bucket does again what SQL says"
        case .lost: "no order is lost any more"
        case .evicted where subject == Self.expiringSubject: "no watched key expires any more"
        case .evicted: "\(subject) has evicted nothing since it started again"
        case .unattended: "somebody takes the outbox to SQL again"
        case .errors: "calls to \(subject) succeed again"
        case .memory: "the memory of \(subject) no longer runs out"
        case .store: "the order store answers again"
        case .outboxAge: "SQL has caught up with Redis"
        case .hotSlot: "no slot takes most of the orders any more"
        case .skew: "the nodes share the load again"
        case .deadLetters: "no dead letter waits any more"
        case .refunds: "no refund waits any more"
        // What is low, and that it is gone, is told SKU by SKU.
        case .lowStock, .nodeDown, .drift, .paused, .promise, .fenced, .other: nil
        }
    }
}
