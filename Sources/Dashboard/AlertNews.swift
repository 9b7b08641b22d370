public import Telemetry

/// Whether an alert is new, whatever its figures do: what a bell is rung for.
public struct AlertNews: Sendable {
    /// An alert that was gone for so long is new when it comes again.
    static let forgottenSeconds = 30.0
    private var seen: [String: Double] = [:]

    public init() {}

    /// - Parameter seconds: of a clock that never steps back.
    /// - Returns: whether one of them, worse than a piece of information, was not there before.
    public mutating func take(_ alerts: [WarRoomSnapshot.Alert], seconds: Double) -> Bool {
        var isNew = false
        for alert in alerts where alert.severity >= .warning {
            let key = alert.identity ?? LinearTeller.key(alert.text)
            if seen[key] == nil { isNew = true }
            seen[key] = seconds
        }
        seen = seen.filter { seconds - $0.value < Self.forgottenSeconds }
        return isNew
    }
}
