import Checker
import Inventory
import Synchronization

/// Writes a world's history, event by event, on the world's clock.
final class Recorder: Sendable {
    private struct State {
        var events: [HistoryEvent] = []
        var nextProcess = 1
        var paid: [FlowID] = []
    }
    private let executor: SimulationExecutor
    private let state = Mutex(State())

    init(executor: SimulationExecutor) { self.executor = executor }

    /// Microseconds since the world began.
    var at: Int64 { executor.elapsedMicroseconds }

    /// A new number for somebody who asks one thing at a time.
    func asker() -> Int {
        state.withLock { state in
            defer { state.nextProcess += 1 }
            return state.nextProcess
        }
    }

    func add(_ event: HistoryEvent) {
        state.withLock { $0.events.append(event) }
        // Into the trace too: a replay that says something else is no replay.
        var hash = UInt64(bitPattern: event.at)
        for text in [event.operation.rawValue, event.kind.rawValue, event.answer, event.subject, event.detail] {
            for byte in (text ?? "").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        executor.note(hash)
    }

    func add(
        _ process: Int, _ operation: HistoryEvent.Operation, _ kind: HistoryEvent.Kind, flow: FlowID? = nil,
        lines: [OrderLine] = [], flag: Bool? = nil, answer: String? = nil, subject: String? = nil,
        detail: String? = nil
    ) {
        add(
            HistoryEvent(
                at: at, process: process, operation, kind, flow: flow, lines: lines, flag: flag, answer: answer,
                subject: subject, detail: detail))
    }

    /// Remembers an order that is paid for and about which nothing is on its way any more.
    func notePaid(_ flow: FlowID) { state.withLock { $0.paid.append(flow) } }
    var paid: [FlowID] { state.withLock { $0.paid } }

    var events: [HistoryEvent] { state.withLock { $0.events } }
}
