import Lab
import Redis
import SaleRig
import Synchronization
import Testing

/// Counts on a key as fast as it is answered, from `start` until `stop`.
private final class Load: Sendable {
    let cluster: RedisCluster
    let key: String
    private let counts = Mutex<(done: Int, errors: [RedisError], isStopped: Bool)>((0, [], false))

    init(_ cluster: RedisCluster, key: String) {
        self.cluster = cluster
        self.key = key
    }

    var done: Int { counts.withLock { $0.done } }
    var errors: [RedisError] { counts.withLock { $0.errors } }
    func stop() { counts.withLock { $0.isStopped = true } }

    func run() async {
        while !counts.withLock({ $0.isStopped }) {
            do throws(RedisError) {
                _ = try await cluster.call(
                    slot: HashSlot.of(key), RedisCommand("INCR", key), deadline: .now + .milliseconds(500))
                counts.withLock { $0.done += 1 }
            } catch {
                counts.withLock { $0.errors.append(error) }
                // A real caller waits a moment as well.
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
    }

    /// Waits until a command that was sent from now on is done.
    func goesOn(within limit: Duration) async throws {
        let before = done
        try await eventually("commands are done again", within: limit) { done >= before + 2 }
    }
}

@Suite("A client under failover", .timeLimit(.minutes(5)))
struct FailoverTests {
    /// Runs load on a fleet while `body` harms it.
    private func underLoad(
        _ configuration: EmbeddedFleet.Configuration, _ body: (EmbeddedFleet, RedisCluster, Load) async throws -> Void
    ) async throws {
        let fleet = try await EmbeddedFleet.start(configuration)
        let outcome: Result<Void, any Error>
        do {
            let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
            let load = Load(cluster, key: "n")
            async let running: Void = load.run()
            do {
                try await load.goesOn(within: .seconds(2))
                try await body(fleet, cluster, load)
                outcome = .success(())
            } catch { outcome = .failure(error) }
            load.stop()
            await running
            cluster.close()
        } catch {
            await fleet.stop()
            throw error
        }
        await fleet.stop()
        try outcome.get()
    }

    @Test("goes on where a single master's stable address leads, there and back", arguments: [false, true])
    func single(isKilled: Bool) async throws {
        try await underLoad(.init(masters: 1, replicas: 1, isProxied: true)) { fleet, cluster, load in
            let address = cluster.master(ofSlot: 0)
            for (old, new) in [(0, 1), (1, 0)] {
                if isKilled { try await fleet.crash(old) }
                try await fleet.promote(new)
                try await load.goesOn(within: .seconds(1))
                #expect(cluster.master(ofSlot: 0) == address)
                if isKilled { try await fleet.restart(old) }
                try await fleet.rejoin(old)
            }
            // Nobody was told "done" for what a master did that was one no longer.
            #expect(load.errors.allSatisfy { $0.outcome != .refused || $0.kind == .readOnly })
        }
    }

    @Test("goes on with the promoted replica of a cluster", arguments: [false, true])
    func cluster(isKilled: Bool) async throws {
        try await underLoad(.init(masters: 3, replicas: 1)) { fleet, cluster, load in
            let shard = fleet.shard(ofSlot: HashSlot.of(load.key))
            let (old, new) = (fleet.master(ofShard: shard), fleet.replicas(ofShard: shard)[0])
            if isKilled { try await fleet.crash(old) }
            try await fleet.promote(new)
            try await load.goesOn(within: .seconds(3))
            #expect(cluster.master(ofSlot: HashSlot.of(load.key)) == fleet.nodes[new].address)
            // MOVED moved one slot; the map that is read then moves the others.
            try await eventually("all slots moved") { cluster.status.count == 3 }
        }
    }

    @Test("a single server that became a replica is left: its address may lead elsewhere by now")
    func readOnly() async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: 1))
        let other = try await fleet.addServer()
        let proxy = try WireProxy(to: fleet.nodes[0].address)
        let cluster = try await RedisCluster.connect(to: RedisURL("redis://\(proxy.address)"))
        let load = Load(cluster, key: "n")
        async let running: Void = load.run()
        try await load.goesOn(within: .seconds(2))

        // As a name does that was changed: who is connected stays where it is.
        proxy.retarget(to: other.address, cutting: false)
        let former = try RedisConnection(address: fleet.nodes[0].address)
        _ = try await former.call(
            RedisCommand("REPLICAOF", other.address.host, String(other.address.port)), deadline: .now + .seconds(5))
        try await eventually("it refused") { load.errors.contains { $0.kind == .readOnly } }
        try await load.goesOn(within: .seconds(2))
        let connection = try RedisConnection(address: other.address)
        let count = try await connection.call(RedisCommand("GET", "n"), deadline: .now + .seconds(5)).string
        #expect(count.flatMap { Int($0) } ?? 0 > 0)

        // A script's own words for it do the same.
        proxy.retarget(to: fleet.nodes[0].address, cutting: false)
        try await eventually("the connection is a while old") {
            guard let since = cluster.status.first?.since else { return false }
            return since.duration(to: .now) > .milliseconds(250)
        }
        cluster.reroute(slot: 0)
        try await eventually("it is the first one again") { load.errors.last?.kind == .readOnly }
        load.stop()
        await running
        for connection in [former, connection] { connection.close() }
        cluster.close()
        proxy.close()
        await fleet.stop()
    }
}
