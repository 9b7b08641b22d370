import Foundation
import GRDB
import Glibc
import Host
import Redis
import Testing

extension CommandTests {
    private static let quick = ["demo", "--no-ui", "--masters", "1", "--skus", "8", "--rate", "50", "--duration", "1s"]

    @Test(
        "no redis-server, an old one, one that dies",
        arguments: [
            ("", "redis-server is not installed"),
            ("echo 'Redis server v=6.2.7 sha=0 bits=64'", "is Redis 6.2.7; Sellout needs 7.0 or newer"),
            ("echo hello", "does not say its version"),
            (
                "case $1 in --version) echo 'Redis server v=7.0.15';; *) echo 'Fatal: no luck'; exit 1;; esac",
                "Fatal: no luck"
            ),
        ])
    func badServer(script: String, words: String) async throws {
        let scratch = try Scratch()
        mkdir("\(scratch.path)/bin", 0o700)
        if !script.isEmpty { _ = try scratch.write("#!/bin/sh\n\(script)\n", to: "bin/redis-server", executable: true) }
        let path = ["PATH": "\(scratch.path)/bin"]
        try await Program.start(Self.quick, in: scratch, environment: path).result().expectOneLine(words, status: 2)
        try await scratch.expectNothingLeft()
    }

    @Test("a folder that cannot be used, a disk without room")
    func badFolder() async throws {
        let scratch = try Scratch()
        let file = try scratch.write("", to: "file")
        try await Program.start(Self.quick, in: scratch, environment: ["TMPDIR": "\(file)/below"]).result()
            .expectOneLine("Not a directory", "set TMPDIR", status: 2)
        try await Program.start(Self.quick + ["--keep", "\(file)/below"], in: scratch).result()
            .expectOneLine("Not a directory", "name another folder", status: 2)
        try await scratch.expectNothingLeft()
    }

    @Test("a disk that is full", .enabled(if: getuid() == 0, "needs a small file system of its own"))
    func fullDisk() async throws {
        let scratch = try Scratch()
        guard mount("tmpfs", scratch.temporary, "tmpfs", 0, "size=64k") == 0 else { return }
        defer { umount(scratch.temporary) }
        try await Program.start(Self.quick, in: scratch).result().expectOneLine("full", status: 2)
        try await scratch.expectNothingLeft()
    }

    @Test(
        "a disk that fills up while a sale goes on: it is told at once, nothing counts as lost, and the end says what it is worth",
        .enabled(if: getuid() == 0, "needs a small file system of its own"), arguments: ["memory", "durable"])
    func fillingDisk(durability: String) async throws {
        let scratch = try Scratch()
        guard mount("tmpfs", scratch.temporary, "tmpfs", 0, "size=4m") == 0 else { return }
        defer { umount(scratch.temporary) }
        let result = try await Program.start(
            [
                "demo", "--no-ui", "--masters", "1", "--skus", "8", "--units", "1000000", "--rate", "2000",
                "--duration", "4s", "--durability", durability, "--json",
            ], in: scratch
        ).result()
        #expect(result.status == 3, "\(result.output)\(result.error)")
        #expect(result.output.contains("\"lostOrders\" : 0"), "\(result.output)")
        let lines = result.error.split(separator: "\n")
        #expect(lines.contains { $0.contains("SQL refuses") && $0.contains("the disk is full") }, "\(result.error)")
        #expect(lines.last?.hasPrefix("not checked: ") == true, "\(result.error)")
    }

    @Test("no terminal where a screen was asked for")
    func noTerminal() async throws {
        let scratch = try Scratch()
        try await Program.run("demo", in: scratch).expectOneLine("is not a terminal", "--no-ui", status: 2)
        try await scratch.expectNothingLeft()
    }

    @Test(
        "themes that are not there or not themes",
        arguments: [
            ("", "is not there; themes are: "), ("system: [\n", "theme.yaml:2:"),
            ("system: base16\npalette:\n  base00: \"zzz\"\n", "theme.yaml:3:base00"),
            ("foo: bar\n", "theme.yaml:1:base00"),
        ])
    func badTheme(text: String, words: String) async throws {
        let scratch = try Scratch()
        if !text.isEmpty { _ = try scratch.write(text, to: "theme.yaml") }
        try await Program.run("demo", "--theme", text.isEmpty ? "nosuch" : "theme.yaml", in: scratch)
            .expectOneLine(words, status: 2)
        try await scratch.expectNothingLeft()
    }

    @Test("order stores that are none: nothing is made, nothing is changed", arguments: ["watch", "reconcile"])
    func badOrders(command: String) async throws {
        let scratch = try Scratch()
        let other = try DatabaseQueue(path: "\(scratch.path)/other.sqlite")
        try await other.write { try $0.execute(sql: "CREATE TABLE x(a)") }
        try other.close()
        let before = try Data(contentsOf: URL(fileURLWithPath: "\(scratch.path)/other.sqlite"))
        _ = try scratch.write("hello", to: "text.sqlite")
        for (orders, words) in [
            ("sqlite:other.sqlite", "database of another program"), ("sqlite:text.sqlite", "is not a SQLite database"),
            ("sqlite:none.sqlite", "there is no order store at none.sqlite"), ("mysql:x", "write sqlite:PATH"),
            ("sqlite:.", "is a folder"),
        ] {
            try await Program.run(command, "--redis", "redis://127.0.0.1:1", "--orders", orders, in: scratch)
                .expectOneLine(words, status: orders.hasPrefix("mysql") ? 64 : 2)
        }
        #expect(access("\(scratch.path)/none.sqlite", F_OK) != 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: "\(scratch.path)/other.sqlite")) == before)
        #expect(scratch.read("text.sqlite") == "hello")
    }

    @Test("Redis addresses where nothing listens, or not Redis, or that want a password")
    func badRedis() async throws {
        let scratch = try Scratch()
        let made = try await Program.start(Self.quick + ["--keep", "\(scratch.path)/kept"], in: scratch).result()
        try #require(made.status == 0)
        let url = try RedisURL(String(try #require(made.error.firstMatch(of: #/--redis (\S+)/#)).1))
        defer { for pid in scratch.servers { kill(pid, SIGKILL) } }
        func watch(_ redis: String) async throws -> Program.Result {
            try await Program.run("watch", "--redis", redis, "--orders", "sqlite:kept/books.sqlite", in: scratch)
        }
        try await watch("redis://127.0.0.1:1")
            .expectOneLine("127.0.0.1:1", "Connection refused", "check the address", status: 2)
        try await watch("nonsense").expectOneLine("write redis://", status: 64)
        try await watch("redis://nowhere.invalid:1").expectOneLine("nowhere.invalid:1", status: 2)

        // Listens and never answers.
        let silent = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(silent) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = bind(silent, pointer, size)
                _ = listen(silent, 5)
                _ = getsockname(silent, pointer, &size)
            }
        }
        try await watch("redis://127.0.0.1:\(UInt16(bigEndian: address.sin_port))")
            .expectOneLine("is it Redis?", status: 2)

        let connection = try RedisConnection(address: url.address)
        _ = try await connection.call(
            RedisCommand("CONFIG", "SET", "requirepass", "geheim"), deadline: .now + .seconds(30))
        connection.close()
        try await watch("redis://\(url.address)").expectOneLine("wants a password", status: 2)
        let wrong = try await Program.run(
            "watch", "--redis", "redis://\(url.address)", "--orders", "sqlite:kept/books.sqlite", in: scratch,
            environment: ["SELLOUT_REDIS_PASSWORD": "falsch"])
        wrong.expectOneLine("refused the login", status: 2)
        #expect(!wrong.error.contains("falsch"))
    }
}
