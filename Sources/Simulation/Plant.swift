import Operations
import OrderStore
import Redis

/// A bug put in on purpose, to see whether the rig finds it: an altered script text, a decorator before a port, or another
/// policy value. Production types know nothing of it.
public struct Plant: Sendable {
    typealias Ports = (redis: any RedisPort, store: any OrderStore)

    public let name: String
    /// What it breaks, in one sentence.
    public let breaks: String
    /// How it is made, in one sentence.
    public let means: String

    /// The text of a script by its name, as a process with the bug loads it.
    var script: @Sendable (_ name: String, _ source: String) -> String = { _, source in source }
    /// The ports of a process with the bug.
    var ports: @Sendable (Ports) -> Ports = { $0 }
    /// Turns a world towards where the bug can show.
    var scenario: @Sendable (inout Scenario) -> Void = { _ in }

    /// No bug.
    static let nothing = Plant(name: "nothing", breaks: "nothing", means: "nothing")
}

/// Redis behind a decorator that passes on whatever it does not change.
protocol RedisPortDecorator: RedisPort {
    var base: any RedisPort { get }
}

extension RedisPortDecorator {
    var isCluster: Bool { base.isCluster }
    var status: [RedisNodeStatus] { base.status }
    func master(ofSlot slot: Int) -> RedisAddress? { base.master(ofSlot: slot) }
    func send(
        slot: Int, command: RedisCommand, deadline: ContinuousClock.Instant, completion: @escaping Completion
    ) {
        base.send(slot: slot, command: command, deadline: deadline, completion: completion)
    }
    func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant,
        completion: @escaping Completion
    ) {
        base.evaluate(script, call, slot: slot, deadline: deadline, completion: completion)
    }
    func load(_ script: RedisScript) async throws(RedisError) -> LoadedScript { try await base.load(script) }
    func onEachMaster(
        _ command: RedisCommand, deadline: ContinuousClock.Instant
    ) async -> [(address: RedisAddress, result: Result<RedisReply, RedisError>)] {
        await base.onEachMaster(command, deadline: deadline)
    }
    func close() { base.close() }
}
