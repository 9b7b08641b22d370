import Lab
import Redis
import SaleRig
import Testing

private func soon() -> ContinuousClock.Instant { .now + .seconds(5) }

/// Runs `body` on a fleet of its own.
private func withFleet(
    _ configuration: EmbeddedFleet.Configuration, _ body: (EmbeddedFleet) async throws -> Void
) async throws {
    let fleet = try await EmbeddedFleet.start(configuration)
    do { try await body(fleet) } catch {
        await fleet.stop()
        throw error
    }
    await fleet.stop()
}

extension EmbeddedFleet {
    /// Asks one server, past all proxies.
    fileprivate func ask(_ index: Int, _ words: String...) async throws -> RedisReply {
        let connection = try RedisConnection(address: nodes[index].address)
        defer { connection.close() }
        var command = RedisCommand(words[0])
        for word in words.dropFirst() { command.append(word) }
        return try await connection.call(command, deadline: soon())
    }

    fileprivate func get(_ key: String, from index: Int) async throws -> String? {
        try await ask(index, "GET", key).string
    }
}

/// A key of a slot that a shard of a cluster of three serves.
private func key(ofShard shard: Int, in fleet: EmbeddedFleet) -> String {
    (0...).lazy.map { "k\($0)" }.first { fleet.shard(ofSlot: HashSlot.of($0)) == shard }!
}

@Suite("Acts on a single master with replicas", .timeLimit(.minutes(5)))
struct ReplicatedActTests {
    private static let proxied = EmbeddedFleet.Configuration(masters: 1, replicas: 1, isProxied: true)

    @Test("a promoted replica answers at the same address, without the tail that a dead link withheld")
    func promotion() async throws {
        try await withFleet(Self.proxied) { fleet in
            let client = try RedisConnection(address: RedisURL(fleet.url).address)
            defer { client.close() }
            let url = fleet.url
            _ = try await client.call(RedisCommand("SET", "kept", "v"), deadline: soon())
            #expect(try await client.call(RedisCommand("WAIT", "1", "2000"), deadline: soon()) == .integer(1))

            try fleet.setReplicationFaults(.deadToClient, of: 1)
            _ = try await client.call(RedisCommand("SET", "tail", "v"), deadline: soon())
            #expect(try await client.call(RedisCommand("WAIT", "1", "50"), deadline: soon()) == .integer(0))
            // Both ends still think that they are connected.
            #expect(try await fleet.ask(0, "INFO", "replication").string?.contains("state=online") == true)
            try await fleet.promote(1)

            #expect(fleet.url == url)
            #expect(fleet.nodes.map(\.role) == [.outside, .master(shard: 0)])
            try await eventually("the client is back") {
                (try? await client.call(RedisCommand("SET", "new", "v"), deadline: soon())) != nil
            }
            #expect(try await client.call(RedisCommand("GET", "kept"), deadline: soon()).string == "v")
            #expect(try await client.call(RedisCommand("GET", "tail"), deadline: soon()) == .null)
            #expect(try await fleet.get("tail", from: 0) == "v")
            #expect(try await fleet.lineage(of: 0) != fleet.lineage(of: 1))

            // And back: the former master follows, without what only it had, and is master again.
            fleet.healWires()
            try await fleet.rejoin(0)
            #expect(fleet.nodes[0].role == .replica(shard: 0))
            #expect(try await fleet.get("tail", from: 0) == nil)
            #expect(try await fleet.get("new", from: 0) == "v")
            try await fleet.promote(0)
            try await fleet.rejoin(1)
            try await eventually("the client is back") {
                (try? await client.call(RedisCommand("SET", "last", "v"), deadline: soon())) != nil
            }
            #expect(try await fleet.get("last", from: 0) == "v")
            #expect(fleet.master() == 0)
        }
    }

    @Test("a killed master's replica takes over; the dead one comes back as a replica")
    func takeover() async throws {
        try await withFleet(.init(masters: 1, replicas: 2, isProxied: true)) { fleet in
            let client = try RedisConnection(address: RedisURL(fleet.url).address)
            defer { client.close() }
            _ = try await client.call(RedisCommand("SET", "k", "v"), deadline: soon())
            _ = try await client.call(RedisCommand("WAIT", "2", "2000"), deadline: soon())
            try await fleet.crash(0)
            try await fleet.promote(2)
            try await fleet.rejoin(0)
            try await fleet.restart(0)
            try await fleet.waitForReplicas()
            #expect(fleet.replicas() == [1, 0])
            try await eventually("the client is back") {
                (try? await client.call(RedisCommand("SET", "l", "v"), deadline: soon())) != nil
            }
            #expect(try await client.call(RedisCommand("WAIT", "2", "2000"), deadline: soon()) == .integer(2))
            for index in 0..<3 { #expect(try await fleet.get("k", from: index) == "v") }
        }
    }

    @Test("a master killed and back is empty, and so are its replicas then")
    func emptyMaster() async throws {
        try await withFleet(Self.proxied) { fleet in
            _ = try await fleet.ask(0, "SET", "k", "v")
            try await eventually("it is copied") { try await fleet.get("k", from: 1) == "v" }
            try await fleet.crash(0)
            try await fleet.restart(0)
            #expect(try await fleet.get("k", from: 0) == nil)
            try await eventually("it is gone there too") { try await fleet.get("k", from: 1) == nil }
        }
    }

    @Test("a first replica and the last one's leaving change the lineage and lose nothing", arguments: [false, true])
    func lineage(isProxied: Bool) async throws {
        try await withFleet(.init(masters: 1, isProxied: isProxied)) { fleet in
            _ = try await fleet.ask(0, "SET", "k", "v")
            let alone = try await fleet.lineage(of: 0)
            let replica = try await fleet.attachReplica()
            #expect(replica.role == .replica(shard: 0))
            let attached = try await fleet.lineage(of: 0)
            #expect(attached != alone)
            #expect(try await fleet.get("k", from: replica.index) == "v")
            try await fleet.detachReplica(replica.index, lineageChangesAfter: 1)
            #expect(!fleet.nodes[replica.index].isUp)
            #expect(fleet.replicas() == [])
            try await eventually("the lineage changes") { try await fleet.lineage(of: 0) != attached }
            #expect(try await fleet.get("k", from: 0) == "v")
        }
    }

    @Test("a stopped server answers nothing, and goes on")
    func pause() async throws {
        try await withFleet(Self.proxied) { fleet in
            let client = try RedisConnection(address: fleet.nodes[0].address)
            defer { client.close() }
            _ = try await client.call(RedisCommand("PING"), deadline: soon())
            try fleet.pause(0)
            let error = await #expect(throws: RedisError.self) {
                try await client.call(RedisCommand("SET", "k", "v"), deadline: .now + .milliseconds(50))
            }
            #expect(error?.outcome == .unknown)
            try fleet.resume(0)
            try await eventually("what lay there is done") { try await fleet.get("k", from: 0) == "v" }
            // A stopped server can be killed.
            try fleet.pause(1)
            try await fleet.crash(1)
            #expect(!fleet.nodes[1].isUp)
            #expect(throws: FleetError.self) { try fleet.pause(1) }
        }
    }

    @Test("what does not fit the fleet is refused in one line")
    func misuse() async throws {
        try await withFleet(.init(masters: 1, replicas: 1)) { fleet in
            await #expect(throws: FleetError.self) { try await fleet.promote(0) }
            await #expect(throws: FleetError.self) { try await fleet.promote(7) }
            await #expect(throws: FleetError.self) { try await fleet.rejoin(1) }
            await #expect(throws: FleetError.self) { try await fleet.detachReplica(0) }
            #expect(throws: FleetError.self) { try fleet.setReplicationFaults(.blackHole, of: 1) }
            #expect(throws: FleetError.self) { _ = try fleet.clientWire() }
            #expect(throws: FleetError.self) { try fleet.cutAppendOnly(0, toBytes: 0) }
            // Without a proxy the address is to be read again.
            try await fleet.promote(1)
            #expect(try RedisURL(fleet.url).address == fleet.nodes[1].address)
        }
        await #expect(throws: FleetError.self) { _ = try await EmbeddedFleet.start(.init(masters: 1, replicas: 9)) }
    }
}

@Suite("Acts on what a server holds", .timeLimit(.minutes(5)))
struct DataActTests {
    @Test("an append-only file cut to an older size brings an older state back", arguments: [0, 3])
    func cut(tornBytes: Int) async throws {
        let options = ServerOptions(appendOnly: .everySecond)
        try await withFleet(.init(masters: 1, options: options)) { fleet in
            _ = try await fleet.ask(0, "SET", "old", "v")
            try await eventually("it is in the file") { try fleet.appendOnlyBytes(0) > 0 }
            let older = try fleet.appendOnlyBytes(0)
            _ = try await fleet.ask(0, "SET", "new", "v")
            try await eventually("it is in the file") { try fleet.appendOnlyBytes(0) > older + tornBytes }
            #expect(throws: FleetError.self) { try fleet.cutAppendOnly(0, toBytes: older) }
            try await fleet.crash(0)
            try fleet.cutAppendOnly(0, toBytes: older + tornBytes)
            try await fleet.restart(0)
            #expect(try await fleet.get("old", from: 0) == "v")
            #expect(try await fleet.get("new", from: 0) == nil)
        }
    }

    @Test("a server that starts again serves once it has read what it kept, however long that takes")
    func reading() async throws {
        var configuration = EmbeddedFleet.Configuration(masters: 1, options: ServerOptions(appendOnly: .everySecond))
        // Half a second for 50 keys, and it answers meanwhile.
        configuration.extraLines = ["key-load-delay 10000", "loading-process-events-interval-bytes 1024"]
        try await withFleet(configuration) { fleet in
            for number in 0..<50 {
                _ = try await fleet.ask(0, "SET", "key-\(number)", String(repeating: "v", count: 1_024))
            }
            try await eventually("it is in the file") { try fleet.appendOnlyBytes(0) > 50 * 1_024 }
            try await fleet.crash(0)
            try await fleet.restart(0)
            #expect(try await fleet.get("key-49", from: 0)?.count == 1_024)
        }
    }

    @Test("FLUSHALL, SCRIPT FLUSH, one key, one field")
    func data() async throws {
        try await withFleet(.init(masters: 1)) { fleet in
            _ = try await fleet.ask(0, "SET", "k", "v")
            _ = try await fleet.ask(0, "HSET", "h", "f", "1", "g", "2")
            #expect(try await fleet.delete(field: Array("f".utf8), ofKey: "h"))
            #expect(try await !fleet.delete(field: Array("f".utf8), ofKey: "h"))
            #expect(try await fleet.ask(0, "HLEN", "h") == .integer(1))
            #expect(try await fleet.delete(key: "k"))
            #expect(try await !fleet.delete(key: "k"))
            let sha = try #require(try await fleet.ask(0, "SCRIPT", "LOAD", "return 1").string)
            try await fleet.forgetScripts(0)
            #expect(try await fleet.ask(0, "SCRIPT", "EXISTS", sha) == .array([.integer(0)]))
            try await fleet.flushAll(0)
            #expect(try await fleet.ask(0, "DBSIZE") == .integer(0))
        }
    }
}

@Suite("Acts on a cluster", .timeLimit(.minutes(5)))
struct ClusterActTests {
    @Test("a replica with a dead link takes over without the tail, and the former master follows it")
    func promotion() async throws {
        try await withFleet(.init(masters: 3, replicas: 1, isProxied: true)) { fleet in
            let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
            defer { cluster.close() }
            #expect(cluster.status.map(\.address) == fleet.nodes[..<3].map(\.clientAddress))
            let key = key(ofShard: 1, in: fleet)
            let slot = HashSlot.of(key)
            _ = try await cluster.call(slot: slot, RedisCommand("SET", key, "kept"), deadline: soon())
            #expect(
                try await cluster.call(slot: slot, RedisCommand("WAIT", "1", "2000"), deadline: soon()) == .integer(1))
            try fleet.setReplicationFaults(.deadToClient, of: 4)
            _ = try await cluster.call(slot: slot, RedisCommand("SET", key, "tail"), deadline: soon())
            #expect(
                try await cluster.call(slot: slot, RedisCommand("WAIT", "1", "50"), deadline: soon()) == .integer(0))

            try await fleet.promote(4)
            #expect(fleet.master(ofShard: 1) == 4)
            fleet.healWires()
            // Into the shard that it served.
            try await fleet.rejoin(1)
            #expect(fleet.nodes[1].role == .replica(shard: 1))
            #expect(try await cluster.call(slot: slot, RedisCommand("GET", key), deadline: soon()).string == "kept")
            #expect(cluster.master(ofSlot: slot) == fleet.nodes[4].clientAddress)

            // Killed and back, a member knows what became of its shard.
            try await fleet.crash(1)
            try await fleet.restart(1)
            try await fleet.waitForReplicas(ofShard: 1)
            try await fleet.promote(1)
            try await fleet.rejoin(4, shard: 1)
            #expect(try await cluster.call(slot: slot, RedisCommand("GET", key), deadline: soon()).string == "kept")
            #expect(cluster.master(ofSlot: slot) == fleet.nodes[1].clientAddress)
        }
    }

    @Test("of two replicas the one that heard its master has more, also once the master is dead")
    func foremost() async throws {
        try await withFleet(.init(masters: 1, replicas: 2, isProxied: true)) { fleet in
            let client = try RedisConnection(address: RedisURL(fleet.url).address)
            defer { client.close() }
            for (deaf, key) in [(1, "a"), (2, "b")] {
                try await fleet.waitForReplicas()
                try fleet.setReplicationFaults(.deadToClient, of: deaf)
                _ = try await client.call(RedisCommand("SET", key, "v"), deadline: soon())
                let heard = try await client.call(RedisCommand("WAIT", "1", "2000"), deadline: soon())
                #expect(heard == .integer(1))
                #expect(await fleet.foremostReplica() == 3 - deaf)
                fleet.healWires()
                _ = try await client.call(RedisCommand("SET", key, "w"), deadline: soon())
                let all = try await client.call(RedisCommand("WAIT", "2", "5000"), deadline: soon())
                #expect(all == .integer(2))
            }
            try fleet.setReplicationFaults(.deadToClient, of: 1)
            _ = try await client.call(RedisCommand("SET", "c", "v"), deadline: soon())
            _ = try await client.call(RedisCommand("WAIT", "1", "2000"), deadline: soon())
            try await fleet.crash(0)
            #expect(await fleet.foremostReplica() == 2)
            try await fleet.crash(2)
            #expect(await fleet.foremostReplica() == 1)
        }
    }

    @Test("a replica that follows somebody else is told again whom to follow")
    func align() async throws {
        try await withFleet(.init(masters: 1, replicas: 2)) { fleet in
            _ = try await fleet.ask(1, "REPLICAOF", "127.0.0.1", "1")
            _ = try await fleet.ask(0, "SET", "k", "v")
            try await fleet.alignReplicas()
            try await fleet.waitForReplicas()
            #expect(try await fleet.get("k", from: 1) == "v")
        }
    }

    @Test("a lone master gets a replica, which can take over")
    func attach() async throws {
        try await withFleet(.init(masters: 3)) { fleet in
            let key = key(ofShard: 2, in: fleet)
            _ = try await fleet.ask(2, "SET", key, "v")
            let before = try await fleet.lineage(of: 2)
            let replica = try await fleet.attachReplica(shard: 2)
            #expect(try await fleet.lineage(of: 2) != before)
            try await fleet.crash(2)
            try await fleet.promote(replica.index)
            #expect(try await fleet.get(key, from: replica.index) == "v")
        }
    }

    @Test("promotes by itself only where that was asked for")
    func failsOver() async throws {
        try await withFleet(.init(masters: 3, replicas: 1, options: ServerOptions(failsOver: true))) { fleet in
            try await fleet.crash(0)
            try await eventually("a replica took over") {
                try await fleet.refreshRoles()
                return fleet.master(ofShard: 0) == 3
            }
            #expect(fleet.replicas(ofShard: 0) == [0])
        }
    }
}
