import Testing

@testable import Redis

@Suite("RESP")
struct CodecTests {
    private func encoded(_ command: RedisCommand) -> String {
        var output: [UInt8] = []
        command.encode(into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    private func decoded(_ text: String, chunk: Int) -> [RedisReply] {
        let reader = ReplyReader()
        var replies: [RedisReply] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: chunk) {
            bytes[start..<min(start + chunk, bytes.count)].withUnsafeBytes { reader.feed($0) }
            while case .reply(let reply) = reader.next() { replies.append(reply) }
        }
        return replies
    }

    @Test("a command counts its arguments and their bytes")
    func command() {
        var command = RedisCommand("SET", "k")
        command.append([0xC3, 0xA9])
        command.append(Int64.min)
        command.append(0)
        command.append(byteCount: 3) { $0.copyBytes(from: [97, 98, 99]) }
        command.append("")
        #expect(
            encoded(command)
                == "*7\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\né\r\n$20\r\n-9223372036854775808\r\n$1\r\n0\r\n$3\r\nabc\r\n$0\r\n\r\n"
        )
    }

    @Test("a script call goes behind the hash or the source, unchanged")
    func script() {
        let script = LoadedScript(RedisScript(name: "s", source: "return 1"), sha: "abcd")
        var call = ScriptCall(keyCount: 1)
        call.append("key")
        call.append(12345)
        let rest = "$1\r\n1\r\n$3\r\nkey\r\n$5\r\n12345\r\n"
        #expect(
            encoded(RedisCommand(prefix: script.bySHA, arguments: call.arguments))
                == "*5\r\n$7\r\nEVALSHA\r\n$4\r\nabcd\r\n" + rest)
        #expect(
            encoded(RedisCommand(prefix: script.bySource, arguments: call.arguments))
                == "*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n" + rest)
    }

    @Test("replies are read whole however they are cut", arguments: [1, 2, 3, 7, 1000])
    func replies(chunk: Int) {
        let text =
            "+OK\r\n:-42\r\n$-1\r\n$0\r\n\r\n$5\r\na\r\nb\n\r\n*-1\r\n*0\r\n*3\r\n:1\r\n*2\r\n$1\r\nx\r\n-ERR no\r\n$-1\r\n+PONG\r\n"
        #expect(
            decoded(text, chunk: chunk) == [
                .status("OK"), .integer(-42), .null, .bulk([]), .bulk(Array("a\r\nb\n".utf8)), .null, .array([]),
                .array([.integer(1), .array([.bulk([120]), .error("ERR no")]), .null]), .status("PONG"),
            ])
    }

    @Test("what is not RESP is refused")
    func notRESP() {
        let reader = ReplyReader()
        Array("HTTP/1.1 400 Bad Request\r\n".utf8).withUnsafeBytes { reader.feed($0) }
        guard case .failed(let reason) = reader.next() else {
            Issue.record("it read a reply from HTTP")
            return
        }
        #expect(!reason.isEmpty)
    }

    @Test("accessors")
    func accessors() {
        #expect(RedisReply.bulk(Array("17".utf8)).int == 17)
        #expect(RedisReply.bulk(Array("x".utf8)).int == nil)
        #expect(RedisReply.integer(3).int == 3)
        #expect(RedisReply.status("OK").string == "OK")
        #expect(RedisReply.array([.null]).array == [.null])
        #expect(RedisReply.null.isNull && !RedisReply.integer(0).isNull)
    }

    private static let address = RedisAddress(host: "10.0.0.1", port: 7000)

    @Test(
        "a server's error has a kind and an outcome",
        arguments: [
            ("MOVED 1 h:2", RedisError.Kind.moved, RedisError.Outcome.refused),
            ("CLUSTERDOWN The cluster is down", .clusterDown, .refused),
            ("NOSCRIPT No matching script. Please use EVAL.", .noScript, .refused),
            ("OOM command not allowed script: ab, on @user_script:1.", .outOfMemory, .refused),
            ("READONLY You can't write script: ab, on @user_script:1.", .readOnly, .refused),
            ("WRONGTYPE Operation against script: ab, on @user_script:3.", .scriptFailed, .unknown),
            ("ERR user_script:9: attempt to index script: ab, on @user_script:9.", .scriptFailed, .unknown),
            ("ERR whatever", .other, .refused),
        ])
    func errors(text: String, kind: RedisError.Kind, outcome: RedisError.Outcome) {
        let error = RedisError.fromServer(text, at: Self.address)
        #expect(error.kind == kind)
        #expect(error.outcome == outcome)
        #expect(error.serverText == text)
    }

    @Test("an error message is one printable line")
    func oneLine() {
        let error = RedisError.fromServer("ERR a\r\nb\u{1B}[31m", at: Self.address)
        #expect(error.message == "10.0.0.1:7000: ERR a  b [31m")
    }

    @Test("redirections name a slot and a node")
    func redirections() {
        let moved = Redirection(serverText: "MOVED 3999 127.0.0.1:6381", asked: Self.address)
        #expect(moved?.slot == 3999)
        #expect(moved?.address == RedisAddress(host: "127.0.0.1", port: 6381))
        #expect(Redirection(serverText: "ASK 1 :6381", asked: Self.address)?.address.host == "10.0.0.1")
        #expect(Redirection(serverText: "ASK 1 ::1:6381", asked: Self.address)?.address.host == "::1")
        #expect(Redirection(serverText: "MOVED 16384 h:1", asked: Self.address) == nil)
        #expect(Redirection(serverText: "MOVED", asked: Self.address) == nil)
    }

    @Test("slot maps are read from CLUSTER SLOTS")
    func slotMap() {
        func node(_ host: RedisReply, _ port: Int64) -> RedisReply {
            .array([host, .integer(port), .bulk([97]), .array([])])
        }
        let reply = RedisReply.array([
            .array([.integer(0), .integer(99), node(.bulk(Array("h".utf8)), 1), node(.bulk(Array("r".utf8)), 2)]),
            .array([.integer(100), .integer(16383), node(.null, 3)]),
        ])
        #expect(
            SlotMap(reply: reply, asked: Self.address)?.assignments == [
                .init(slots: 0...99, master: RedisAddress(host: "h", port: 1)),
                .init(slots: 100...16383, master: RedisAddress(host: "10.0.0.1", port: 3)),
            ])
        #expect(
            SlotMap(reply: .array([.array([.integer(5), .integer(4), node(.null, 1)])]), asked: Self.address) == nil)
        #expect(SlotMap(reply: .status("OK"), asked: Self.address) == nil)
    }
}

@Suite("A Redis address")
struct RedisURLTests {
    @Test(
        "is read",
        arguments: [
            ("redis://h", "h", 6379, nil, nil),
            ("redis://h:1/0", "h", 1, nil, nil),
            ("redis://127.0.0.1:65535/", "127.0.0.1", 65535, nil, nil),
            ("redis://:p%40ss@h", "h", 6379, nil, "p@ss"),
            ("redis://u:p:q@h:2", "h", 2, "u", "p:q"),
            ("redis://u@h", "h", 6379, "u", nil),
            ("redis://[::1]:7000", "::1", 7000, nil, nil),
        ] as [(String, String, Int, String?, String?)])
    func good(text: String, host: String, port: Int, user: String?, password: String?) throws {
        let url = try RedisURL(text)
        #expect(url == RedisURL(address: .init(host: host, port: port), user: user, password: password))
    }

    @Test(
        "is refused in one line that hides the password",
        arguments: [
            "", "h:1", "http://h", "rediss://h", "redis://", "redis://:secret@", "redis://h:0", "redis://h:65536",
            "redis://h:x", "redis://h/1", "redis://h/a", "redis://[::1", "redis://[::1]7", "redis://:secret%zz@h",
            "redis://a b:secret", "redis://h\n:1",
        ])
    func bad(text: String) {
        let error = #expect(throws: RedisError.self) { try RedisURL(text) }
        #expect(error?.kind == .badURL)
        #expect(error?.message.contains("\n") == false)
        #expect(error?.message.contains("secret") == false)
    }

    @Test("does not print its password")
    func description() throws {
        #expect(try RedisURL("redis://u:secret@h:1").description == "redis://u:…@h:1")
        let url = try RedisURL("redis://u:secret@h:1")
        var dumped = ""
        dump([url], to: &dumped)
        for text in ["\(url)", "\([url])", "\(Optional(url) as Any)", String(reflecting: url), dumped] {
            #expect(!text.contains("secret"), "\(text)")
        }
        #expect(try RedisURL("redis://[::1]:7000").description == "redis://[::1]:7000")
    }
}

@Suite("Hash slots")
struct HashSlotTests {
    // The check value of CRC-16/XMODEM, and the tag rule of the Redis Cluster specification.
    @Test(
        arguments: [
            ("123456789", 0x31C3), ("", 0), ("{123456789}x", 0x31C3), ("a{123456789}{b}", 0x31C3),
        ])
    func known(key: String, slot: Int) { #expect(HashSlot.of(key) == slot) }

    @Test("an empty or open tag is no tag")
    func emptyTag() {
        #expect(HashSlot.of("{}123456789") != 0x31C3)
        #expect(HashSlot.of("{123456789") != 0x31C3)
        #expect(HashSlot.of("foo{{bar}}zap") == HashSlot.of("{bar"))
    }
}

@Suite("Latencies")
struct LatencyTests {
    @Test("a quantile is within an eighth", arguments: [Duration.microseconds(3), .microseconds(250), .seconds(2)])
    func quantile(latency: Duration) {
        var window = LatencyWindow(start: .now)
        for _ in 0..<99 { window.record(latency) }
        window.record(latency * 1000)
        #expect(abs(window.quantile(0.5) / latency - 1) <= 0.125)
        #expect(abs(window.quantile(1) / (latency * 1000) - 1) <= 0.125)
        window.restart(at: .now)
        #expect(window.quantile(0.99) == .zero)
    }
}
