import Inventory
import Synchronization
public import Telemetry

/// What happened, in plain sentences, newest last; it keeps the last 200.
public final class EventLog: Sendable {
    public static let keptMax = 200

    private struct State {
        var events: [WarRoomSnapshot.Event] = []
        var next = 1
    }
    private let state = Mutex(State())
    private let onEvent: (@Sendable (WarRoomSnapshot.Event) -> Void)?

    /// - Parameter onEvent: hears every event too, on any thread; must not block.
    public init(onEvent: (@Sendable (WarRoomSnapshot.Event) -> Void)? = nil) { self.onEvent = onEvent }

    /// - Parameters:
    ///   - alert: whose beginning or end it tells, where it is one's.
    ///   - subject: that alert's.
    public func add(
        _ severity: WarRoomSnapshot.Event.Severity, _ text: String, of alert: WarRoomSnapshot.Alert.Kind? = nil,
        _ subject: String = ""
    ) {
        let event = state.withLock { state in
            let event = WarRoomSnapshot.Event(
                number: state.next, atMilliseconds: WallClock.milliseconds, severity: severity, text: text,
                alert: alert.flatMap { WarRoomSnapshot.Alert.identity($0, subject) })
            state.next += 1
            state.events.append(event)
            if state.events.count > Self.keptMax { state.events.removeFirst(state.events.count - Self.keptMax) }
            return event
        }
        onEvent?(event)
    }

    /// The number of the newest; `nil`: nothing happened yet.
    var last: Int? { state.withLock { $0.events.last?.number } }

    public var events: [WarRoomSnapshot.Event] { state.withLock { $0.events } }
}
