import Host
import Lab
import Redis
import Testing

@Suite("Replicas of a fleet", .timeLimit(.minutes(5)))
struct ReplicaTests {
    private func soon() -> ContinuousClock.Instant { .now + .seconds(5) }

    @Test("are connected when the fleet serves, and WAIT counts them", arguments: [1, 2])
    func single(replicas: Int) async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: 1, replicas: replicas))
        #expect(
            fleet.nodes.map(\.role) == [.master(shard: 0)] + Array(repeating: .replica(shard: 0), count: replicas))
        let master = try RedisConnection(address: fleet.nodes[0].address)
        _ = try await master.call(RedisCommand("SET", "k", "v"), deadline: soon())
        let reached = try await master.call(RedisCommand("WAIT", String(replicas), "2000"), deadline: soon())
        #expect(reached == .integer(Int64(replicas)))
        let replica = try RedisConnection(address: fleet.nodes[1].address)
        #expect(try await replica.call(RedisCommand("GET", "k"), deadline: soon()).string == "v")
        let refused = await #expect(throws: RedisError.self) {
            try await replica.call(RedisCommand("SET", "k", "w"), deadline: soon())
        }
        #expect(refused?.kind == .readOnly)
        master.close()
        replica.close()
        let nodes = fleet.nodes
        await fleet.stop()
        for node in nodes { #expect(OtherProcess.waitForEnd(pid: node.pid, timeoutMilliseconds: 0)) }
    }

    @Test("of a cluster follow their own master")
    func cluster() async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: 3, replicas: 1))
        let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
        #expect(cluster.status.map(\.address) == fleet.nodes[..<3].map(\.address))
        for shard in 0..<3 {
            #expect(fleet.nodes[3 + shard].role == .replica(shard: shard))
            let slot = try #require(cluster.status[shard].slotRanges.first?.lowerBound)
            let key = try #require((0...).lazy.map { "k\($0)" }.first { HashSlot.of($0) == slot })
            _ = try await cluster.call(slot: slot, RedisCommand("SET", key, "v"), deadline: soon())
            #expect(
                try await cluster.call(slot: slot, RedisCommand("WAIT", "1", "2000"), deadline: soon()) == .integer(1))
            let replica = try RedisConnection(address: fleet.nodes[3 + shard].address)
            _ = try await replica.call(RedisCommand("READONLY"), deadline: soon())
            #expect(try await replica.call(RedisCommand("GET", key), deadline: soon()).string == "v")
            replica.close()
        }
        cluster.close()
        await fleet.stop()
    }

    @Test("the topology in words")
    func words() {
        #expect(EmbeddedFleet.Configuration(masters: 1).topology == "single")
        #expect(EmbeddedFleet.Configuration(masters: 1, replicas: 1).topology == "single + 1 replica")
        #expect(EmbeddedFleet.Configuration(masters: 3).topology == "cluster 3")
        #expect(EmbeddedFleet.Configuration(masters: 3, replicas: 2).topology == "cluster 3 + 6 replicas")
    }

    @Test("AOF keeps what a killed server held; a full one refuses and evicts nothing")
    func options() async throws {
        let fleet = try await EmbeddedFleet.start(
            .init(masters: 1, options: ServerOptions(appendOnly: .always, memoryBytesMax: 8 << 20)))
        let connection = try RedisConnection(address: fleet.nodes[0].address)
        _ = try await connection.call(RedisCommand("SET", "k", "v"), deadline: soon())
        try await fleet.crash(0)
        try await fleet.restart(0)
        #expect(try await connection.call(RedisCommand("GET", "k"), deadline: soon()).string == "v")
        var refusal: RedisError?
        let block = String(repeating: "x", count: 1 << 20)
        for number in 0..<16 where refusal == nil {
            do throws(RedisError) {
                _ = try await connection.call(RedisCommand("SET", "block\(number)", block), deadline: soon())
            } catch { refusal = error }
        }
        #expect(refusal?.kind == .outOfMemory)
        #expect(try await connection.call(RedisCommand("GET", "k"), deadline: soon()).string == "v")
        connection.close()
        await fleet.stop()
    }
}
