import Host

/// A connection to one server: a thread of its own, commands pipelined in the order of `send`.
///
/// It connects by itself and connects again whenever the connection breaks, until `close` or until it is released. Sibling:
/// `RedisCluster` holds one of these a master and knows which slot is where.
public final class RedisConnection: Sendable {
    let core: ConnectionCore

    public var address: RedisAddress { core.address }

    /// Starts the thread, which connects; it never waits for that.
    ///
    /// - Throws: when the system has no descriptor or no thread left.
    public convenience init(
        address: RedisAddress, user: String? = nil, password: String? = nil, options: RedisOptions = RedisOptions()
    ) throws(RedisError) {
        try self.init(
            url: RedisURL(address: address, user: user, password: password), options: options, onStateChange: { _ in })
    }

    /// - Parameter onStateChange: told on the connection's thread when it comes up (true) or goes down.
    init(
        url: RedisURL, options: RedisOptions, onStateChange: @escaping @Sendable (Bool) -> Void
    ) throws(RedisError) {
        do {
            let core = try ConnectionCore(address: url.address, options: options)
            try OSThread.start(name: "redis:\(url.port)") {
                ConnectionLoop(core: core, url: url, onStateChange: onStateChange).run()
            }
            self.core = core
        } catch {
            throw RedisError(.notSent, .other, "\(url.address): \(error.message)")
        }
    }

    deinit { core.close() }

    /// Sends a command; any thread may call this, and it never blocks.
    ///
    /// While the server is down the command waits for the connection, at most `connectTimeout`. The deadline passing for a
    /// command that was sent breaks the connection, as nothing else can tell late answers from later ones: everything
    /// pending there is `unknown` then.
    ///
    /// - Parameter completion: runs once, on the connection's thread and under no lock; it must not block. For `overloaded`
    ///   and `closed` it runs on the caller's thread before this returns, so it must not simply send again.
    public func send(
        _ command: RedisCommand, deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        core.submit(.init(command: command, asking: false, deadline: deadline, completion: completion))
    }

    /// Sends a command and waits for its reply. Cancelling the task does not take a sent command back; the deadline bounds it.
    public func call(
        _ command: RedisCommand, deadline: ContinuousClock.Instant
    ) async throws(RedisError) -> RedisReply {
        try await answer(to: command, deadline: deadline).get()
    }

    /// `call` with the error as a value.
    func answer(
        to command: RedisCommand, deadline: ContinuousClock.Instant
    ) async -> Result<RedisReply, RedisError> {
        await withCheckedContinuation { continuation in
            send(command, deadline: deadline) { continuation.resume(returning: $0) }
        }
    }

    /// State, totals and the last second's rates.
    public var health: RedisNodeHealth { core.health }

    /// Ends the connection: what waits is `notSent`, what was sent is `unknown`.
    public func close() { core.close() }
}
