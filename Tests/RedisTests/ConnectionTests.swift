import Glibc
import Host
import Lab
import Redis
import Synchronization
import Testing

/// A single server and a connection to it, for the length of `body`.
func withServer(
    _ lines: [String] = [], options: RedisOptions = RedisOptions(),
    _ body: (EmbeddedFleet, RedisConnection) async throws -> Void
) async throws {
    let fleet = try await EmbeddedFleet.start(.init(masters: 1, extraLines: lines))
    do {
        let connection = try RedisConnection(address: fleet.nodes[0].address, options: options)
        defer { connection.close() }
        try await body(fleet, connection)
    } catch {
        await fleet.stop()
        throw error
    }
    await fleet.stop()
}

func soon(_ seconds: Int = 10) -> ContinuousClock.Instant { .now + .seconds(seconds) }

/// Collects the results of commands in the order in which they arrive.
final class Results: Sendable {
    private struct State {
        var results: [Result<RedisReply, RedisError>] = []
        var expected = 0
        var waiter: CheckedContinuation<Void, Never>?
    }
    private let state = Mutex(State())

    func expect(_ connection: RedisConnection, _ command: RedisCommand, deadline: ContinuousClock.Instant) {
        state.withLock { $0.expected += 1 }
        connection.send(command, deadline: deadline) { result in
            let waiter = self.state.withLock { state -> CheckedContinuation<Void, Never>? in
                state.results.append(result)
                guard state.results.count == state.expected else { return nil }
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume()
        }
    }

    func all() async -> [Result<RedisReply, RedisError>] {
        await withCheckedContinuation { continuation in
            let done = self.state.withLock { state in
                if state.results.count < state.expected { state.waiter = continuation }
                return state.results.count >= state.expected
            }
            if done { continuation.resume() }
        }
        return state.withLock { $0.results }
    }
}

extension Result where Failure == RedisError {
    var failure: RedisError? { if case .failure(let error) = self { error } else { nil } }
}

@Suite("A connection", .timeLimit(.minutes(5)), .serialized)
struct ConnectionTests {
    @Test("answers 100,000 pipelined commands in their order")
    func pipelining() async throws {
        try await withServer { _, connection in
            let results = Results()
            for _ in 0..<100_000 { results.expect(connection, RedisCommand("INCR", "n"), deadline: soon(30)) }
            let values = await results.all().map { try? $0.get().int }
            #expect(values == (1...100_000).map { Int64($0) })
            #expect(connection.health.calls == 100_000)
            #expect(connection.health.inFlight == 0)
            #expect(connection.health.isUp)
        }
    }

    @Test("serves many callers at once")
    func callers() async throws {
        try await withServer { _, connection in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<8 {
                    group.addTask {
                        for round in 1...1000 {
                            let reply = try await connection.call(RedisCommand("INCR", "n\(caller)"), deadline: soon())
                            #expect(reply == .integer(Int64(round)))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("carries large values both ways")
    func large() async throws {
        try await withServer { _, connection in
            let value = (0..<10_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            var command = RedisCommand("ECHO", capacity: value.count + 64)
            command.append(value)
            let reply = try await connection.call(command, deadline: soon())
            #expect(reply.bytes == value)
        }
    }

    @Test("reads nested replies")
    func nested() async throws {
        try await withServer { _, connection in
            let source = "return {1, {2, {3, 'x'}, {err = 'ERR in'}}, false, redis.status_reply('fine')}"
            let reply = try await connection.call(RedisCommand("EVAL", source, "0"), deadline: soon())
            #expect(
                reply
                    == .array([
                        .integer(1),
                        .array([.integer(2), .array([.integer(3), .bulk([120])]), .error("ERR in")]), .null,
                        .status("fine"),
                    ]))
        }
    }

    @Test("tells a script that failed half way from one that refused")
    func scripts() async throws {
        try await withServer { _, connection in
            let raised = await #expect(throws: RedisError.self) {
                try await connection.call(
                    RedisCommand("EVAL", "redis.call('SET', 'a', 1) redis.call('LPUSH', 'a', 1)", "0"), deadline: soon()
                )
            }
            #expect(raised?.kind == .scriptFailed)
            #expect(raised?.outcome == .unknown)
            let returned = await #expect(throws: RedisError.self) {
                try await connection.call(
                    RedisCommand("EVAL", "return redis.error_reply('FENCED no')", "0"), deadline: soon())
            }
            #expect(returned?.outcome == .refused)
            #expect(returned?.serverText == "FENCED no")
        }
    }

    @Test("a passed deadline ends its own call alone, while the server speaks; its answer is nobody else's")
    func deadline() async throws {
        try await withServer { fleet, connection in
            let pauser = try RedisConnection(address: fleet.nodes[0].address)
            _ = try await connection.call(RedisCommand("PING"), deadline: soon())
            _ = try await pauser.call(RedisCommand("CLIENT", "PAUSE", "300", "WRITE"), deadline: soon())
            let results = Results()
            results.expect(connection, RedisCommand("INCR", "a"), deadline: .now + .milliseconds(50))
            results.expect(connection, RedisCommand("INCR", "a"), deadline: soon())
            let all = await results.all()
            let late = all[0].failure
            #expect(late?.outcome == .unknown && late?.kind == .deadline)
            #expect(late?.message == "\(fleet.nodes[0].address): no answer before the deadline")
            #expect(try all[1].get() == .integer(2), "the first was carried out, late")
            #expect(connection.health.isUp && connection.health.errors == 1)
            #expect(try await connection.call(RedisCommand("INCR", "a"), deadline: soon()) == .integer(3))
            pauser.close()
        }
    }

    @Test("a server that says nothing once an answer is late: everything sent is unknown, and the next command works")
    func silence() async throws {
        var options = RedisOptions()
        options.silenceMax = .milliseconds(200)
        try await withServer(options: options) { fleet, connection in
            let pauser = try RedisConnection(address: fleet.nodes[0].address)
            _ = try await connection.call(RedisCommand("PING"), deadline: soon())
            _ = try await pauser.call(RedisCommand("CLIENT", "PAUSE", "10000", "WRITE"), deadline: soon())
            let results = Results()
            results.expect(connection, RedisCommand("SET", "a", "1"), deadline: .now + .milliseconds(50))
            results.expect(connection, RedisCommand("SET", "b", "1"), deadline: soon())
            let failures = await results.all().map(\.failure)
            #expect(failures.map { $0?.outcome } == [.unknown, .unknown])
            #expect(failures.map { $0?.kind } == [.deadline, .connectionLost])
            _ = try await pauser.call(RedisCommand("CLIENT", "UNPAUSE"), deadline: soon())
            #expect(try await connection.call(RedisCommand("SET", "c", "1"), deadline: soon()) == .status("OK"))
            pauser.close()
        }
    }

    @Test("an answer that lies there counts, however late its reader comes to it")
    func lateReader() async throws {
        try await withServer { _, connection in
            _ = try await connection.call(RedisCommand("PING"), deadline: soon())
            let results = Results()
            connection.send(RedisCommand("BLPOP", "a", "0.2"), deadline: soon()) { _ in
                // The connection's own thread stands still, as that of a stopped process.
                usleep(2_000_000)
            }
            results.expect(connection, RedisCommand("BLPOP", "b", "0.2"), deadline: soon(1))
            #expect(await results.all().map(\.failure?.kind) == [nil])
        }
    }

    @Test("a killed server leaves unknown what was sent, then not sent what comes, then serves again")
    func kill() async throws {
        var options = RedisOptions()
        options.connectTimeout = .milliseconds(100)
        try await withServer(options: options) { fleet, connection in
            _ = try await connection.call(RedisCommand("PING"), deadline: soon())
            let pauser = try RedisConnection(address: fleet.nodes[0].address)
            _ = try await pauser.call(RedisCommand("CLIENT", "PAUSE", "10000", "WRITE"), deadline: soon())
            pauser.close()
            let results = Results()
            for _ in 0..<100 { results.expect(connection, RedisCommand("SET", "a", "1"), deadline: soon()) }
            // Answered behind nothing: proves that the hundred left.
            let bytes = connection.health.bytesOut
            while connection.health.bytesOut == bytes { await Task.yield() }
            try await fleet.crash(0)
            let failures = await results.all().map(\.failure)
            #expect(failures.allSatisfy { $0?.kind == .connectionLost })
            #expect(failures.first??.outcome == .unknown)

            let down = await #expect(throws: RedisError.self) {
                try await connection.call(RedisCommand("PING"), deadline: soon())
            }
            #expect(down?.outcome == .notSent)
            #expect(down?.kind == .connectionLost)
            #expect(down?.message.contains("Connection refused") == true)
            #expect(!connection.health.isUp)
            #expect(connection.health.lastError != nil)

            try await fleet.restart(0)
            let deadline = soon()
            var reply: RedisReply?
            while reply == nil, .now < deadline {
                reply = try? await connection.call(RedisCommand("PING"), deadline: deadline)
            }
            #expect(reply == .status("PONG"))
            #expect(connection.health.isUp)
        }
    }

    @Test("a full queue refuses, and closing answers everything")
    func limits() async throws {
        var options = RedisOptions()
        options.outstandingCommandsMax = 10
        try await withServer(options: options) { fleet, connection in
            let pauser = try RedisConnection(address: fleet.nodes[0].address)
            _ = try await connection.call(RedisCommand("PING"), deadline: soon())
            _ = try await pauser.call(RedisCommand("CLIENT", "PAUSE", "10000", "WRITE"), deadline: soon())
            let held = Results()
            for _ in 0..<10 { held.expect(connection, RedisCommand("SET", "a", "1"), deadline: soon()) }
            let over = Results()
            over.expect(connection, RedisCommand("SET", "a", "1"), deadline: soon())
            let refused = await over.all()[0].failure
            #expect(refused?.kind == .overloaded)
            #expect(refused?.outcome == .notSent)
            connection.close()
            #expect(await held.all().allSatisfy { $0.failure?.kind == .closed })
            let closed = await #expect(throws: RedisError.self) {
                try await connection.call(RedisCommand("PING"), deadline: soon())
            }
            #expect(closed?.kind == .closed)
            #expect(closed?.outcome == .notSent)
            pauser.close()
        }
    }

    @Test("logs in with a password, and says when it must or cannot")
    func passwords() async throws {
        try await withServer(["requirepass secret", "user ann on >word ~* &* +@all"]) { fleet, connection in
            let none = await #expect(throws: RedisError.self) {
                try await connection.call(RedisCommand("PING"), deadline: soon())
            }
            #expect(none?.kind == .noAuth)
            #expect(none?.outcome == .notSent)
            #expect(none?.message.contains("wants a password") == true)
            let address = fleet.nodes[0].address
            for (user, password, works) in [
                (nil, "secret", true), ("ann", "word", true), (nil, "wrong", false), ("bob", "word", false),
            ] {
                let other = try RedisConnection(address: address, user: user, password: password)
                let result: Result<RedisReply, RedisError>
                do throws(RedisError) {
                    result = .success(try await other.call(RedisCommand("PING"), deadline: soon()))
                } catch { result = .failure(error) }
                #expect((try? result.get()) == (works ? .status("PONG") : nil))
                if !works { #expect(result.failure?.kind == .noAuth) }
                other.close()
            }
            let url = try RedisURL("redis://\(address)")
            let refused = await #expect(throws: RedisError.self) { try await RedisCluster.connect(to: url) }
            #expect(refused?.kind == .noAuth)
            let cluster = try await RedisCluster.connect(to: RedisURL("redis://ann:word@\(address)"))
            cluster.close()
        }
    }

    @Test("names what is not Redis, and where nothing listens")
    func notRedis() async throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener, $0, size)
                _ = getsockname(listener, $0, &size)
            }
        }
        let port = Int(in_port_t(bigEndian: address.sin_port))
        let url = RedisURL(address: RedisAddress(host: "127.0.0.1", port: port))

        let nothing = await #expect(throws: RedisError.self) { try await RedisCluster.connect(to: url) }
        #expect(nothing?.outcome == .notSent)
        #expect(nothing?.message.contains("Connection refused") == true)

        listen(listener, 5)
        try OSThread.start(name: "not-redis") {
            let client = accept(listener, nil, nil)
            let answer = Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)
            write(client, answer, answer.count)
            // Until the other side gives up.
            var byte: UInt8 = 0
            while read(client, &byte, 1) > 0 {}
            close(client)
        }
        let other = await #expect(throws: RedisError.self) { try await RedisCluster.connect(to: url) }
        #expect(other?.message.contains("does not speak Redis") == true, "\(other?.message ?? "")")
    }
}
