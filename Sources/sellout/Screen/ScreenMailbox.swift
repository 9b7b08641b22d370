import Dashboard
import Host
import Synchronization
import Telemetry

/// What other threads leave for the one that owns the screen: the newest snapshot, and messages in order.
final class ScreenMailbox: Sendable {
    private struct State {
        var snapshot: WarRoomSnapshot?
        var messages: [Message] = []
        var isOver = false
    }

    private let state = Mutex(State())
    let notifier: EventNotifier

    init() throws { notifier = try EventNotifier() }

    /// The latest wins: a screen that is slow skips snapshots, never lags behind them.
    func put(_ snapshot: WarRoomSnapshot) {
        state.withLock { $0.snapshot = snapshot }
        notifier.notify()
    }

    func put(_ message: Message) {
        state.withLock { $0.messages.append(message) }
        notifier.notify()
    }

    /// What the screen shows is over: it closes.
    func close() {
        state.withLock { $0.isOver = true }
        notifier.notify()
    }

    var isOver: Bool { state.withLock { $0.isOver } }

    func take() -> [Message] {
        state.withLock { state in
            var all = state.messages
            state.messages = []
            if let snapshot = state.snapshot { all.append(.snapshot(snapshot)) }
            state.snapshot = nil
            return all
        }
    }
}
