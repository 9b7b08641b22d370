/// What is due, earliest first; of two that are due at once, the one that was asked for first (a binary heap).
struct TimerQueue {
    struct Timer {
        let at: ContinuousClock.Instant
        let sequence: UInt64
        func isBefore(_ other: Timer) -> Bool { at != other.at ? at < other.at : sequence < other.sequence }
    }

    private var timers: [Timer] = []

    mutating func push(_ timer: Timer) {
        timers.append(timer)
        var child = timers.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard timers[child].isBefore(timers[parent]) else { return }
            timers.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> Timer? {
        guard let first = timers.first else { return nil }
        let last = timers.removeLast()
        guard !timers.isEmpty else { return first }
        timers[0] = last
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < timers.count {
                if timers[child].isBefore(timers[smallest]) { smallest = child }
            }
            guard smallest != parent else { return first }
            timers.swapAt(parent, smallest)
            parent = smallest
        }
    }
}
