import Synchronization

/// Hands out what is due to whoever is free: orders that come at a rate, by their numbers, and callers who wait for one.
final class BenchQueue: Sendable {
    private struct State {
        /// Who stands about until there is something to ask; who came last goes first, its memory is still near.
        var idle: [UnsafeContinuation<Int?, Never>] = []
        /// Orders that were handed out.
        var taken = 0
        /// Orders that were ever due.
        var due = 0
        var isOver = false
    }

    private let state = Mutex(State())

    /// Orders are due up to a number; those for which nobody is free wait.
    func call(upTo due: Int) {
        let (first, woken) = state.withLock { state in
            state.due = max(state.due, due)
            let free = min(state.due - state.taken, state.idle.count)
            let woken = Array(state.idle.suffix(free))
            state.idle.removeLast(free)
            defer { state.taken += free }
            return (state.taken, woken)
        }
        for (place, caller) in woken.enumerated() { caller.resume(returning: first + place) }
    }

    /// Waits for the next order that is due; `nil`: it is over.
    nonisolated(nonsending) func next() async -> Int? {
        await withUnsafeContinuation { caller in
            let answer: Int?? = state.withLock { state in
                if state.isOver { return .some(nil) }
                guard state.taken < state.due else {
                    state.idle.append(caller)
                    return nil
                }
                state.taken += 1
                return state.taken - 1
            }
            if let answer { caller.resume(returning: answer) }
        }
    }

    /// Sends everybody home.
    func close() {
        let waiting = state.withLock { state in
            defer { state.idle = [] }
            state.isOver = true
            return state.idle
        }
        for caller in waiting { caller.resume(returning: nil) }
    }
}
