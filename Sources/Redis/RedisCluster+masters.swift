import Synchronization

// Commands that go to one master by its address, and many commands at once: for whoever looks at keys that are not ours.

extension RedisCluster {
    /// The masters of the slot map, in the order of their slots.
    public var masters: [RedisAddress] { masterConnections().map(\.address) }

    /// Sends a command to the master at `address`.
    ///
    /// - Throws: `slotUncovered`, not sent, where no master of the slot map has that address; else as `RedisConnection.call`.
    public func call(
        at address: RedisAddress, _ command: RedisCommand, deadline: ContinuousClock.Instant
    ) async throws(RedisError) -> RedisReply {
        guard let connection = masterConnections().first(where: { $0.address == address }) else {
            throw RedisError(.notSent, .slotUncovered, "\(address) is no master of this cluster any more")
        }
        return try await connection.call(command, deadline: deadline)
    }

    /// Sends commands to the masters of their slots, all at once, pipelined on each connection; answers in the same order.
    public func callAll(
        _ commands: [(slot: Int, command: RedisCommand)], deadline: ContinuousClock.Instant
    ) async -> [Result<RedisReply, RedisError>] {
        if commands.isEmpty { return [] }
        let answers = Answers(count: commands.count)
        await withCheckedContinuation { continuation in
            for (index, (slot, command)) in commands.enumerated() {
                send(slot: slot, command: command, deadline: deadline) { result in
                    if answers.take(result, at: index) { continuation.resume() }
                }
            }
        }
        return answers.all
    }
}

/// Answers as they come, from any thread.
private final class Answers: Sendable {
    private let state: Mutex<(missing: Int, results: [Result<RedisReply, RedisError>?])>

    init(count: Int) { state = Mutex((count, Array(repeating: nil, count: count))) }

    /// - Returns: whether this was the last one.
    func take(_ result: Result<RedisReply, RedisError>, at index: Int) -> Bool {
        state.withLock { state in
            state.results[index] = result
            state.missing -= 1
            return state.missing == 0
        }
    }

    var all: [Result<RedisReply, RedisError>] { state.withLock { $0.results.map { $0! } } }
}

extension RedisError {
    /// Whether the user may not do it: asked for by name, or by a script, of which servers do not say what it wanted.
    public var isForbidden: Bool {
        kind == .noPermission || serverText?.contains("The user executing the script can't") == true
    }

    /// The ACL rule that would allow what the server forbade: `+info`, `+cluster|slots`; `~…` where it is a key that may not be
    /// touched, `nil` where nothing was forbidden.
    public var missingRule: String? {
        guard kind == .noPermission, let text = serverText else { return nil }
        if text.contains("access one of the keys") || text.contains("access a key") { return "~…" }
        let parts = text.split(separator: "'", omittingEmptySubsequences: false)
        return parts.count >= 3 ? "+" + parts[1] : "+…"
    }
}
