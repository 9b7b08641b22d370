import Synchronization

/// Lets readers in until it is shut, and shuts only behind the last of them.
///
/// A pool of connections takes a question that comes while it is closed to a connection that is closed already, and SQLite reads
/// through a null pointer then.
final class ReadingGate: Sendable {
    private struct State {
        var readers = 0
        var isShut = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// False: it is shut. Whoever got in must `leave`.
    func enter() -> Bool {
        state.withLock { state in
            if state.isShut { return false }
            state.readers += 1
            return true
        }
    }

    func leave() {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.readers -= 1
            guard state.isShut, state.readers == 0 else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Lets nobody in any more, and returns when the last one has left.
    func shut() async {
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                state.isShut = true
                if state.readers > 0 { state.waiting.append(continuation) }
                return state.readers == 0
            }
            if isEmpty { continuation.resume() }
        }
    }
}
