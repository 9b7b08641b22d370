import Inventory
import Redis
import RedisModel

/// A server of the simulated fleet: a Redis in memory that can die, come back with less, or give way to its replica.
///
/// Unchecked: it holds a Lua state, and is touched only on its world's one thread.
final class SimulatedNode: @unchecked Sendable {
    let number: Int
    let address: RedisAddress
    private let server: RedisModelServer
    /// What a replica has by now; it lags.
    private var replica: RedisData
    /// What the disk would bring back.
    private var onDisk: RedisData
    private(set) var isUp = true
    private var lineages: SeededRandom

    init(number: Int, random: SeededRandom, durability: Durability, machine: ScriptMachine) {
        self.number = number
        lineages = random
        address = RedisAddress(host: "node\(number + 1)", port: 6379)
        server = RedisModelServer(identity: .init(replicationID: Self.lineage(&lineages)), machine: machine)
        if case .aof = durability { server.settings["appendonly"] = "yes" }
        server.identity.connectedReplicas = durability.replicas
        replica = server.data
        onDisk = server.data
    }

    private static func lineage(_ random: inout SeededRandom) -> String {
        var text = ""
        while text.utf8.count < 40 {
            let digits = String(random.next(), radix: 16)
            text += String(repeating: "0", count: 16 - digits.count) + digits
        }
        return String(text.prefix(40))
    }

    /// Runs a command; `nil` while the server is down.
    func execute(_ words: [[UInt8]], atMilliseconds now: UInt64) -> Result<RedisReply, RedisError>? {
        guard isUp else { return nil }
        server.timeMicroseconds = Int64(now) * 1_000
        // WAIT counts what has everything: here the replica catches up, or is too slow.
        if words.first == Self.wait {
            if replicationIsStuck { return .success(.integer(0)) }
            replica = server.data
        }
        return server.answer(words, as: address)
    }

    private static let wait = Array("WAIT".utf8)
    /// The replica hears nothing.
    var replicationIsStuck = false

    /// The same, asked of the replica by mistake.
    func executeOnReplica(_ words: [[UInt8]], atMilliseconds now: UInt64) -> Result<RedisReply, RedisError>? {
        guard isUp else { return nil }
        let master = server.data
        server.data = replica
        server.identity.role = .replica
        defer {
            server.data = master
            server.identity.role = .master
        }
        return execute(words, atMilliseconds: now)
    }

    // MARK: What happens to it

    /// The replica catches up, unless it hears nothing.
    func replicate() { if !replicationIsStuck { replica = server.data } }

    /// What is there now is what a later restart brings back.
    func persist() { onDisk = server.data }

    func goDown() { isUp = false }

    /// It comes back as it was: its machine froze for a while.
    func comeBack() { isUp = true }

    func comeBackEmpty() {
        server.data = RedisData()
        restart()
    }

    /// It restarts, and its disk holds everything.
    func comeBackWhole() { restart() }

    /// Its disk holds less than it had acknowledged.
    func comeBackOlder() {
        server.data = onDisk
        restart()
    }

    private func restart() {
        server.forgetScripts()
        server.identity.runID = Self.lineage(&lineages)
        changeLineage()
        isUp = true
    }

    /// The replica takes over; what it had not received is gone.
    func promoteReplica() {
        // Another process, which knows no script of its master's cache.
        server.data = replica
        restart()
    }

    /// As when a first replica is attached: a new lineage, and nothing lost.
    func changeLineage() { server.identity.replicationID = Self.lineage(&lineages) }

    func forgetScripts() { server.forgetScripts() }

    /// FLUSHALL by somebody's hand; the lineage stays.
    func flush() { server.data = RedisData() }

    /// A key is deleted, or evicted.
    func lose(_ key: [UInt8]) { _ = server.execute([Array("DEL".utf8), key]) }

    /// Somebody takes a field out of a hash.
    func lose(_ field: [UInt8], of key: [UInt8]) { _ = server.execute([Array("HDEL".utf8), key, field]) }

    /// Reads for the final state, past all links.
    func read(_ words: [UInt8]...) -> RedisReply { server.execute(words) }
}
