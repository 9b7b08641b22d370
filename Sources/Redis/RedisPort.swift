/// Redis as engine, workers, recovery and reconciliation see it: commands and scripts by slot.
///
/// `RedisCluster` is the real one. A fault is a decorator over this port, or another implementation of it.
public protocol RedisPort: Sendable {
    typealias Completion = @Sendable (Result<RedisReply, RedisError>) -> Void

    /// Whether the servers form a Redis Cluster.
    var isCluster: Bool { get }
    /// The nodes, for people to look at.
    var status: [RedisNodeStatus] { get }
    /// The address of the master of a slot; `nil` when none is known.
    func master(ofSlot slot: Int) -> RedisAddress?

    /// Sends a command to the master of `slot`; the completion may be called on any thread and must not block.
    func send(
        slot: Int, command: RedisCommand, deadline: ContinuousClock.Instant, completion: @escaping Completion)
    /// Runs a script on the master of `slot`; a server that forgot it gets the source.
    func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant,
        completion: @escaping Completion)
    /// Runs a script on the master of `slot`, and WAIT right behind it on the same connection: how many replicas have what
    /// the script wrote.
    ///
    /// - Parameters:
    ///   - replicas: how many are waited for, 1 or more.
    ///   - within: how long, in whole milliseconds; 1 ms or more. The connection serves nobody else meanwhile.
    func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, replicas: Int, within: Duration,
        deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (Result<ReplicatedReply, RedisError>) -> Void)
    /// Compiles a script on every master that answers, and learns its hash.
    func load(_ script: RedisScript) async throws(RedisError) -> LoadedScript
    /// Sends a command to every master; answers in the order of their slots.
    func onEachMaster(
        _ command: RedisCommand, deadline: ContinuousClock.Instant
    ) async -> [(address: RedisAddress, result: Result<RedisReply, RedisError>)]

    /// A replica answered for `slot`, in words of a script that this port cannot know: looks for its master.
    func reroute(slot: Int)

    /// Ends all connections: what waits is `notSent`, what was sent is `unknown`. Idempotent.
    func close()
}

/// What a script answered, and how many replicas had acknowledged its writes in time.
public struct ReplicatedReply: Sendable {
    public let reply: RedisReply
    /// 0 also where nobody could tell: the connection broke before WAIT was answered.
    public let replicas: Int

    public init(reply: RedisReply, replicas: Int) {
        self.reply = reply
        self.replicas = replicas
    }
}

extension RedisCommand {
    /// `WAIT replicas milliseconds`
    static func wait(replicas: Int, within: Duration) -> RedisCommand {
        // 0 would wait for ever.
        RedisCommand("WAIT", "\(replicas)", "\(max(1, Int64(within / .milliseconds(1))))")
    }
}

extension RedisPort {
    /// For ports on which nothing breaks between two commands: the script, then WAIT.
    public func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, replicas: Int, within: Duration,
        deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (Result<ReplicatedReply, RedisError>) -> Void
    ) {
        evaluate(script, call, slot: slot, deadline: deadline) { result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let reply):
                send(slot: slot, command: .wait(replicas: replicas, within: within), deadline: deadline) { result in
                    let count = (try? result.get())?.int ?? 0
                    completion(.success(ReplicatedReply(reply: reply, replicas: Int(count))))
                }
            }
        }
    }
    public func reroute(slot: Int) {}

    /// `send`, awaited.
    public func call(
        slot: Int, _ command: RedisCommand, deadline: ContinuousClock.Instant
    ) async throws(RedisError) -> RedisReply {
        let result = await withCheckedContinuation { continuation in
            send(slot: slot, command: command, deadline: deadline) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// `evaluate`, awaited.
    public func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant
    ) async throws(RedisError) -> RedisReply {
        let result = await withCheckedContinuation { continuation in
            evaluate(script, call, slot: slot, deadline: deadline) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }
}

extension RedisCluster: RedisPort {}
