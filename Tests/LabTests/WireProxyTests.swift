import Lab
import Redis
import SaleRig
import Synchronization
import Testing

/// A server, a proxy before it, and a connection through each.
private struct Wire {
    let fleet: EmbeddedFleet
    let proxy: WireProxy
    let direct: RedisConnection
    let through: RedisConnection

    static func with(hooks: WireProxy.Hooks = .init(), _ body: (Wire) async throws -> Void) async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: 1))
        let address = fleet.nodes[0].address
        let proxy = try WireProxy(to: address, hooks: hooks)
        let wire = Wire(
            fleet: fleet, proxy: proxy, direct: try RedisConnection(address: address),
            through: try RedisConnection(address: proxy.address))
        do { try await body(wire) } catch {
            await wire.end()
            throw error
        }
        await wire.end()
    }

    private func end() async {
        direct.close()
        through.close()
        proxy.close()
        await fleet.stop()
    }

    func set(_ key: String, within limit: Duration = .seconds(5)) async throws(RedisError) {
        _ = try await through.call(RedisCommand("SET", key, "v"), deadline: .now + limit)
    }

    func has(_ key: String) async throws -> Bool {
        try await direct.call(RedisCommand("EXISTS", key), deadline: .now + .seconds(5)) == .integer(1)
    }
}

@Suite("A wire", .timeLimit(.minutes(5)))
struct WireProxyTests {
    @Test("hands on what comes, and names every request and its reply")
    func passes() async throws {
        let told = Mutex<[String]>([])
        var hooks = WireProxy.Hooks()
        hooks.onRequest = { request in
            told.withLock { $0.append("\(request.number) \(request.text(0)) \(request.text(1))") }
            return .pass
        }
        hooks.onReply = { request, reply in
            told.withLock { $0.append("\(request.number) → \(reply.count)") }
            return .pass
        }
        try await Wire.with(hooks: hooks) { wire in
            let big = String(repeating: "x", count: 300_000)
            _ = try await wire.through.call(RedisCommand("SET", "big", big), deadline: .now + .seconds(5))
            let back = try await wire.through.call(RedisCommand("GET", "big"), deadline: .now + .seconds(5))
            #expect(back.string == big)
        }
        #expect(
            told.withLock { $0 } == ["1 CLIENT SETNAME", "1 → 5", "2 SET big", "2 → 5", "3 GET big", "3 → 300011"])
    }

    @Test("silence takes a message and all after it in its direction; the connection stays up")
    func silence() async throws {
        var hooks = WireProxy.Hooks()
        hooks.onRequest = { $0.text(1) == "lost" ? .silence : .pass }
        try await Wire.with(hooks: hooks) { wire in
            try await wire.set("a")
            let silenced = await #expect(throws: RedisError.self) {
                try await wire.set("lost", within: .milliseconds(50))
            }
            #expect(silenced?.kind == .deadline)
            #expect(silenced?.outcome == .unknown)
            #expect(try await !wire.has("lost"))
            // What comes behind it is swallowed too, until the silence breaks the connection; the next one is well.
            try await eventually("the next connection is well") { (try? await wire.set("b")) != nil }
            #expect(try await wire.has("b"))
        }
    }

    @Test("a cut ends the connection with the message unsent")
    func cut() async throws {
        var hooks = WireProxy.Hooks()
        hooks.onRequest = { $0.text(1) == "lost" ? .cut : .pass }
        hooks.onReply = { request, _ in request.text(1) == "executed" ? .cut : .pass }
        try await Wire.with(hooks: hooks) { wire in
            for (key, isThere) in [("lost", false), ("executed", true)] {
                let error = await #expect(throws: RedisError.self) { try await wire.set(key) }
                #expect(error?.kind == .connectionLost)
                #expect(error?.outcome == .unknown)
                let ran = try await wire.has(key)
                #expect(ran == isThere)
            }
        }
    }

    @Test("loses as many replies as it is told, after their requests ran")
    func lostReplies() async throws {
        try await Wire.with { wire in
            try await wire.set("a")
            wire.proxy.loseReplies(2) { $0.text(0) == "SET" }
            for key in ["b", "c"] {
                #expect(
                    try await wire.through.call(RedisCommand("PING"), deadline: .now + .seconds(5)) == .status("PONG"))
                let error = await #expect(throws: RedisError.self) { try await wire.set(key) }
                #expect(error?.outcome == .unknown)
                #expect(try await wire.has(key))
            }
            #expect(wire.proxy.repliesToLose == 0)
            try await wire.set("d")
        }
    }

    @Test("holds bytes for its delay, each way, while it is slow")
    func delays() async throws {
        try await Wire.with { wire in
            try await wire.set("a")
            let delay = Duration.milliseconds(60)
            for faults in [WireFaults.delay(toServer: delay), .delay(toClient: delay)] {
                wire.proxy.setFaults(faults)
                let start = ContinuousClock.now
                // Under way together, late together: one after another they would take half a minute.
                let count = 500
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<count {
                        group.addTask { try await wire.set("b\(number)", within: .seconds(50)) }
                    }
                    try await group.waitForAll()
                }
                let took = start.duration(to: .now)
                #expect(took >= delay)
                #expect(took < delay * count / 2)
            }
            // Held for longer than this test may last, were it still slow.
            wire.proxy.setFaults(.delay(toServer: .seconds(600), toClient: .seconds(600)))
            wire.proxy.heal()
            try await wire.set("d", within: .seconds(30))
        }
    }

    @Test("a request that is late runs although its caller gave up")
    func lateRequest() async throws {
        try await Wire.with { wire in
            try await wire.set("a")
            wire.proxy.setFaults(.delay(toServer: .seconds(60)))
            let error = await #expect(throws: RedisError.self) { try await wire.set("late", within: .milliseconds(30)) }
            #expect(error?.outcome == .unknown)
            #expect(try await !wire.has("late"))
            // What lies on the wire is as late as the wire is now.
            wire.proxy.heal()
            try await eventually("it runs") { try await wire.has("late") }
        }
    }

    @Test("drops one way: towards the server nothing runs, towards the client it runs unheard; then it is well again")
    func oneWay() async throws {
        try await Wire.with { wire in
            for (number, faults) in [WireFaults.deadToServer, .deadToClient, .blackHole].enumerated() {
                try await wire.set("before\(number)")
                wire.proxy.setFaults(faults, for: .clients)
                let error = await #expect(throws: RedisError.self) {
                    try await wire.set("k\(number)", within: .milliseconds(50))
                }
                #expect(error?.outcome == .unknown)
                if faults == .deadToClient {
                    try await eventually("it runs") { try await wire.has("k\(number)") }
                } else {
                    #expect(try await !wire.has("k\(number)"))
                }
                wire.proxy.heal()
                try await eventually("it is well") { (try? await wire.set("after\(number)")) != nil }
            }
        }
    }

    @Test("what was under way when a wire died never arrives, and healing cuts that connection")
    func healingCuts() async throws {
        try await Wire.with { wire in
            try await wire.set("a")
            wire.proxy.setFaults(.deadToServer)
            async let answer: Result<Void, RedisError> = {
                do throws(RedisError) { return .success(try await wire.set("k")) } catch { return .failure(error) }
            }()
            try await eventually("it vanished") { wire.proxy.droppedBytes > 0 }
            wire.proxy.heal()
            let result = await answer
            if case .failure(let error) = result {
                #expect(error.kind == .connectionLost)
            } else {
                Issue.record("a request that was dropped was answered")
            }
            #expect(try await !wire.has("k"))
            try await wire.set("b")
        }
    }

    @Test("hangs up on who connects, while told so")
    func refuses() async throws {
        try await Wire.with { wire in
            try await wire.set("a")
            wire.proxy.setFaults(WireFaults(refusesConnections: true))
            try await wire.set("b")
            wire.proxy.cutAll()
            let error = await #expect(throws: RedisError.self) { try await wire.set("c", within: .milliseconds(100)) }
            #expect(error?.kind == .connectionLost || error?.kind == .deadline)
            wire.proxy.heal()
            try await wire.set("d")
            #expect(try await wire.has("d"))
        }
    }

    @Test("leads to another server when told, cutting who was there, or not")
    func retargets() async throws {
        try await Wire.with { wire in
            let other = try await wire.fleet.addServer()
            try await wire.set("a")
            wire.proxy.retarget(to: other.address, cutting: false)
            try await wire.set("old")
            #expect(try await wire.has("old"))
            wire.proxy.retarget(to: other.address)
            #expect(wire.proxy.target == other.address)
            try await eventually("the client came back") { (try? await wire.set("new")) != nil }
            #expect(try await !wire.has("new"))
            let connection = try RedisConnection(address: other.address)
            #expect(
                try await connection.call(RedisCommand("EXISTS", "new"), deadline: .now + .seconds(5)) == .integer(1))
            connection.close()
        }
    }
}
