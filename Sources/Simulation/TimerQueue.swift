/// Attoseconds since a world began. Plain numbers: they are compared all the time, and an `Instant` is compared by a call into
/// the runtime.
typealias WorldTime = Int128

/// What is to be done at a time.
///
/// Unchecked: only whoever holds the lock of the queue that it stands in touches it.
final class SimulatedTimer: @unchecked Sendable {
    /// `nil`: it went off, or was taken back.
    var action: (@Sendable () -> Void)?

    init(_ action: @escaping @Sendable () -> Void) { self.action = action }
}

/// What is due, earliest first; of two that are due at once, the one that was asked for first (a binary heap).
struct TimerQueue {
    struct Entry {
        let at: WorldTime
        let sequence: UInt64
        let timer: SimulatedTimer

        func isBefore(_ other: Entry) -> Bool { at != other.at ? at < other.at : sequence < other.sequence }
    }

    private var entries: [Entry] = []

    mutating func push(_ entry: Entry) {
        entries.append(entry)
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].isBefore(entries[parent]) else { return }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> Entry? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        let count = entries.count
        guard count > 0 else { return first }
        entries[0] = last
        var parent = 0
        while true {
            var smallest = parent
            let left = 2 * parent + 1
            if left < count, entries[left].isBefore(entries[smallest]) { smallest = left }
            if left + 1 < count, entries[left + 1].isBefore(entries[smallest]) { smallest = left + 1 }
            guard smallest != parent else { return first }
            entries.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
