import Checker
import Inventory
import Synchronization

/// The history of a round as it is written, on one clock that never steps.
final class TortureRecord: Sendable {
    let writer: HistoryWriter
    private let start: ContinuousClock.Instant
    private let acknowledged = Atomic<Int>(0)

    init(path: String) throws {
        writer = try HistoryWriter(path: path)
        start = .now
    }

    /// Microseconds since the round began.
    var now: Int64 {
        let (seconds, attoseconds) = start.duration(to: .now).components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }

    func add(_ event: HistoryEvent) {
        var event = event
        // Read under no lock: two lines may stand in another order than their times, never those of one process.
        event.at = now
        if event.operation == .deduct, event.kind == .ok { acknowledged.add(1, ordering: .relaxed) }
        writer.add(event)
    }

    /// Answers that said yes so far.
    var yesCount: Int { acknowledged.load(ordering: .relaxed) }

    func fault(_ name: String, begins: Bool, _ detail: String? = nil) {
        add(HistoryEvent(at: 0, process: 0, .fault, begins ? .invoke : .ok, subject: name, detail: detail))
    }
}
