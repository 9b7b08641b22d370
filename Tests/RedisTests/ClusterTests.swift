import Lab
import Redis
import Testing

@Suite("A cluster", .timeLimit(.minutes(5)), .serialized)
struct ClusterTests {
    private func withCluster(
        masters: Int = 3, _ body: (EmbeddedFleet, RedisCluster) async throws -> Void
    ) async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: masters))
        do {
            let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
            defer { cluster.close() }
            try await body(fleet, cluster)
        } catch {
            await fleet.stop()
            throw error
        }
        await fleet.stop()
    }

    @Test("computes the slots that the server computes")
    func keySlots() async throws {
        try await withCluster { _, cluster in
            var random = SystemRandomNumberGenerator()
            let alphabet = Array("ab{}_é\0".utf8)
            for _ in 0..<500 {
                let key = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                    alphabet.randomElement(using: &random)!
                }
                var command = RedisCommand("CLUSTER", "KEYSLOT")
                command.append(key)
                let told = try await cluster.call(slot: 0, command, deadline: soon()).int
                #expect(told == Int64(HashSlot.of(key)), "\(key)")
            }
        }
    }

    @Test("follows MOVED and remembers it, and follows ASK once")
    func redirections() async throws {
        try await withCluster { fleet, cluster in
            let key = "k"
            let slot = HashSlot.of(key)
            let from = try #require(cluster.master(ofSlot: slot))
            let to = try #require(fleet.nodes.map(\.address).first { $0 != from })
            let source = try RedisConnection(address: from)
            let target = try RedisConnection(address: to)
            let sourceID = try #require(try await source.call(RedisCommand("CLUSTER", "MYID"), deadline: soon()).string)
            let targetID = try #require(try await target.call(RedisCommand("CLUSTER", "MYID"), deadline: soon()).string)

            // While it moves, a key that is not at the source is asked for at the target.
            let number = String(slot)
            _ = try await target.call(
                RedisCommand("CLUSTER", "SETSLOT", number, "IMPORTING", sourceID), deadline: soon())
            _ = try await source.call(
                RedisCommand("CLUSTER", "SETSLOT", number, "MIGRATING", targetID), deadline: soon())
            #expect(
                try await cluster.call(slot: slot, RedisCommand("SET", key, "v"), deadline: soon()) == .status("OK"))
            #expect(cluster.master(ofSlot: slot) == from)

            // Moved.
            for connection in [target, source] {
                _ = try await connection.call(
                    RedisCommand("CLUSTER", "SETSLOT", number, "NODE", targetID), deadline: soon())
            }
            #expect(try await cluster.call(slot: slot, RedisCommand("GET", key), deadline: soon()).string == "v")
            #expect(cluster.master(ofSlot: slot) == to)
            source.close()
            target.close()
        }
    }

    @Test("runs a script by its hash, and knows it again after SCRIPT FLUSH", arguments: [1, 3])
    func scripts(masters: Int) async throws {
        try await withCluster(masters: masters) { _, cluster in
            let script = try await cluster.load(
                RedisScript(name: "add", source: "return redis.call('INCRBY', KEYS[1], ARGV[1] + #ARGV)"))
            #expect(script.sha.count == 40)
            let slot = HashSlot.of("n")
            var call = ScriptCall(keyCount: 1)
            call.append("n")
            call.append(5)
            call.append([1, 2, 3])
            #expect(try await cluster.evaluate(script, call, slot: slot, deadline: soon()) == .integer(7))
            for (_, result) in await cluster.onEachMaster(RedisCommand("SCRIPT", "FLUSH"), deadline: soon()) {
                #expect(try result.get() == .status("OK"))
            }
            #expect(try await cluster.evaluate(script, call, slot: slot, deadline: soon()) == .integer(14))
            let known = try await cluster.call(
                slot: slot, RedisCommand("SCRIPT", "EXISTS", script.sha), deadline: soon())
            #expect(known == .array([.integer(1)]))
            await #expect(throws: RedisError.self) {
                try await cluster.load(RedisScript(name: "bad", source: "return ("))
            }
        }
    }

    @Test("a dead node disturbs its own slots only, and comes back")
    func deadNode() async throws {
        try await withCluster { fleet, cluster in
            let status = cluster.status
            #expect(status.count == 3)
            #expect(status.map(\.slotCount).reduce(0, +) == HashSlot.count)
            let dead = status[0].slotRanges[0].lowerBound
            let living = status[1].slotRanges[0].lowerBound
            let ping = RedisCommand("PING")
            for node in status {
                _ = try await cluster.call(slot: node.slotRanges[0].lowerBound, ping, deadline: soon())
            }
            try await fleet.crash(0)
            let lost = await #expect(throws: RedisError.self) {
                try await cluster.call(slot: dead, ping, deadline: .now + .milliseconds(50))
            }
            #expect(lost?.kind == .connectionLost)
            for _ in 0..<100 {
                #expect(try await cluster.call(slot: living, ping, deadline: soon()) == .status("PONG"))
            }
            #expect(cluster.status.map(\.isUp) == [false, true, true])

            try await fleet.restart(0)
            var reply: RedisReply?
            let deadline = soon()
            while reply == nil, .now < deadline {
                reply = try? await cluster.call(slot: dead, ping, deadline: deadline)
            }
            #expect(reply == .status("PONG"))
            #expect(cluster.master(ofSlot: dead) == fleet.nodes[0].address)
            #expect(cluster.status.map(\.isUp) == [true, true, true])
        }
    }

    @Test("a single server holds every slot")
    func single() async throws {
        try await withCluster(masters: 1) { fleet, cluster in
            #expect(!cluster.isCluster)
            #expect(cluster.status.map(\.slotRanges) == [[0...16383]])
            #expect(cluster.master(ofSlot: 16383) == fleet.nodes[0].address)
            let reply = try await cluster.call(slot: 16383, RedisCommand("PING"), deadline: soon())
            #expect(reply == .status("PONG"))
        }
    }
}
