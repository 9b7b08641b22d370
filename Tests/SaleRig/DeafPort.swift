import Deduction
public import Inventory
public import Redis
import Synchronization

/// Redis, of which some buckets cannot be reached just now: their connections are down.
public final class DeafPort: RedisPort {
    private let base: any RedisPort
    private let slots = Mutex<Set<Int>>([])
    private let tried = Mutex<[Int: Int]>([:])
    private let hook = Mutex<(@Sendable (String) -> Void)?>(nil)

    public init(_ base: any RedisPort) { self.base = base }

    /// As `SaleRig.with` takes it.
    public static func between(_ cluster: RedisCluster) async throws -> any RedisPort { DeafPort(cluster) }

    /// Cuts a bucket off, or brings it back.
    public func setDeaf(_ deaf: Bool, _ bucket: Bucket) {
        let slot = HashSlot.of(Array("{\(bucket.tag)}".utf8))
        slots.withLock { if deaf { $0.insert(slot) } else { $0.remove(slot) } }
    }

    /// Calls to a bucket that did not reach it.
    public func missed(_ bucket: Bucket) -> Int {
        tried.withLock { $0[HashSlot.of(Array("{\(bucket.tag)}".utf8)), default: 0] }
    }

    /// Called with a script's name when it was answered, before whoever asked hears of it.
    public func onAnswer(_ body: @escaping @Sendable (_ script: String) -> Void) { hook.withLock { $0 = body } }

    private func isDeaf(_ slot: Int) -> Bool {
        guard slots.withLock({ $0.contains(slot) }) else { return false }
        tried.withLock { $0[slot, default: 0] += 1 }
        return true
    }

    private static let down = RedisError(.notSent, .connectionLost, "the connection is down")

    public var isCluster: Bool { base.isCluster }
    public var status: [RedisNodeStatus] { base.status }
    public func master(ofSlot slot: Int) -> RedisAddress? { base.master(ofSlot: slot) }
    public func send(
        slot: Int, command: RedisCommand, deadline: ContinuousClock.Instant, completion: @escaping Completion
    ) {
        if isDeaf(slot) { return completion(.failure(Self.down)) }
        base.send(slot: slot, command: command, deadline: deadline, completion: completion)
    }
    public func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant,
        completion: @escaping Completion
    ) {
        if isDeaf(slot) { return completion(.failure(Self.down)) }
        base.evaluate(script, call, slot: slot, deadline: deadline) { [self] result in
            if case .success = result { hook.withLock { $0 }?(script.name) }
            completion(result)
        }
    }
    public func load(_ script: RedisScript) async throws(RedisError) -> LoadedScript { try await base.load(script) }
    public func onEachMaster(
        _ command: RedisCommand, deadline: ContinuousClock.Instant
    ) async -> [(address: RedisAddress, result: Result<RedisReply, RedisError>)] {
        await base.onEachMaster(command, deadline: deadline)
    }
    public func close() { base.close() }
}
