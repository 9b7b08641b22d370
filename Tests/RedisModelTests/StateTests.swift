import Redis
import RedisModel
import Testing

/// What a simulation does to a server.
@Suite("A Redis model's state")
struct StateTests {
    func words(_ line: String) -> [[UInt8]] { line.split(separator: " ").map { Array($0.utf8) } }
    func makeServer() -> RedisModelServer {
        RedisModelServer(identity: .init(replicationID: String(repeating: "a", count: 40)))
    }

    @Test("a copy is a snapshot, and putting it back a rollback") func rollback() {
        let server = makeServer()
        _ = server.execute(words("HSET h a 1"))
        _ = server.execute(words("XADD q 1-1 a b"))
        _ = server.execute(words("SET s 1"))
        let snapshot = server.data
        _ = server.execute(words("HSET h a 2 b 3"))
        _ = server.execute(words("XADD q 1-2 a b"))
        _ = server.execute(words("DEL s"))
        #expect(server.execute(words("HLEN h")) == .integer(2))
        server.data = snapshot
        #expect(server.execute(words("HGETALL h")) == .array([.bulk([97]), .bulk([49])]))
        #expect(server.execute(words("XLEN q")) == .integer(1))
        #expect(server.execute(words("GET s")) == .bulk([49]))
        // The id that was rolled back can be given again.
        #expect(server.execute(words("XADD q 1-2 a b")) == .bulk(Array("1-2".utf8)))
        server.data.remove(Array("s".utf8))
        #expect(server.execute(words("EXISTS s")) == .integer(0))
        server.data = RedisData()
        #expect(server.data.isEmpty && server.execute(words("DBSIZE")) == .integer(0))
    }

    @Test("a replica that is told each write holds the same, in the same order") func replication() {
        let master = makeServer()
        let replica = makeServer()
        replica.identity.role = .replica
        master.onWrite = { replica.apply($0) }
        master.timeMicroseconds = 5_000_000
        var writer = CommandWriter(numbers: Numbers(state: 9))
        for _ in 0..<5_000 { _ = master.execute(writer.command()) }
        _ = master.execute(words("XADD clock * a b"))
        _ = master.execute(words("XADD clock * a b"))
        #expect(master.data.keys == replica.data.keys)
        for key in master.data.keys {
            for command in ["GET", "HGETALL", "XINFO STREAM", "XRANGE"] {
                let asked = words(command) + [key] + (command == "XRANGE" ? [[45], [43]] : [])
                #expect(master.execute(asked) == replica.execute(asked))
            }
        }
    }

    @Test("the same calls get the same replies") func repeatable() {
        func run() -> [RedisReply] {
            let server = makeServer()
            var writer = CommandWriter(numbers: Numbers(state: 77))
            return (0..<5_000).map { _ in server.execute(writer.command()) }
        }
        #expect(run() == run())
    }

    @Test("errors come with their outcome") func outcomes() {
        let server = makeServer()
        let address = RedisAddress(host: "model", port: 1)
        func error(_ words: [[UInt8]]) -> RedisError? {
            if case .failure(let error) = server.answer(words, as: address) { error } else { nil }
        }
        func eval(_ source: String) -> [[UInt8]] { [Array("EVAL".utf8), Array(source.utf8), [48]] }
        _ = server.execute(words("SET s 1"))
        #expect(error(words("HGET s a"))?.kind == .wrongType)
        #expect(error(words("EVALSHA \(String(repeating: "0", count: 40)) 0"))?.kind == .noScript)
        #expect(error(eval("redis.call('hget', 's', 'a')"))?.outcome == .unknown)
        #expect(error(eval("redis.call('hget', 's', 'a')"))?.kind == .scriptFailed)
        server.identity.role = .replica
        #expect(error(eval("redis.call('set', 's', 'a')"))?.kind == .readOnly)
        #expect(error(eval("redis.call('set', 's', 'a')"))?.outcome == .refused)
        server.identity.role = .master
        server.memory.maxBytes = 1
        #expect(error(eval("redis.call('set', 's', 'a')"))?.kind == .outOfMemory)
        #expect(error(words("SET s 2"))?.kind == .outOfMemory)
        server.memory.maxBytes = 0
        server.minReplicasToWrite = 1
        #expect(error(words("SET s 2"))?.kind == .noReplicas)
    }

    @Test("servers share a machine, not what they know") func sharedMachine() throws {
        let machine = ScriptMachine()
        let first = RedisModelServer(
            identity: .init(replicationID: String(repeating: "a", count: 40)), machine: machine)
        let second = RedisModelServer(
            identity: .init(replicationID: String(repeating: "b", count: 40)), machine: machine)
        let source = Array("return redis.call('INCR', 'n')".utf8)
        let sha = try #require(first.execute([Array("SCRIPT".utf8), Array("LOAD".utf8), source]).bytes)
        let call = [Array("EVALSHA".utf8), sha, [48]]
        #expect(first.execute(call) == .integer(1) && first.execute(call) == .integer(2))
        #expect(second.execute(call) == .error("NOSCRIPT No matching script. Please use EVAL."))
        #expect(second.execute([Array("EVAL".utf8), source, [48]]) == .integer(1))
        #expect(second.execute(call) == .integer(2))
        first.restart(replicationID: String(repeating: "c", count: 40))
        #expect(first.execute(call) == .error("NOSCRIPT No matching script. Please use EVAL."))
    }

    @Test("a scan shows what stays, whatever comes and goes between its pages") func scan() {
        let server = makeServer()
        for number in 0..<500 { _ = server.execute(words("HSET h stays\(number) 1 goes\(number) 1")) }
        var cursor = "0"
        var seen: Set<String> = []
        var page = 0
        repeat {
            let reply = server.execute(words("HSCAN h \(cursor) COUNT 20")).array ?? []
            cursor = reply[0].string ?? "0"
            for (position, field) in (reply[1].array ?? []).enumerated() where position % 2 == 0 {
                seen.insert(field.string ?? "")
            }
            _ = server.execute(words("HDEL h goes\(page) goes\(page + 100)"))
            _ = server.execute(words("HSET h new\(page) 1"))
            page += 1
        } while cursor != "0"
        #expect(page > 20)
        #expect((0..<500).allSatisfy { seen.contains("stays\($0)") })
    }
}
