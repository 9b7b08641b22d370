import Glibc
import Redis
import Testing

/// A demo that left its fleet and its books.
struct Kept {
    let scratch: Scratch
    let redis: String
    let orders: String
    let connection: RedisConnection

    static func make(_ arguments: String..., in scratch: Scratch) async throws -> Kept {
        let made = try await Program.start(
            ["demo", "--no-ui", "--duration", "1s", "--keep", "\(scratch.path)/kept"] + arguments, in: scratch
        ).result()
        try #require(made.status == 0, "\(made.error)")
        let match = try #require(made.error.firstMatch(of: #/watch --redis (\S+) --orders (\S+)/#), "\(made.error)")
        return Kept(
            scratch: scratch, redis: String(match.1), orders: String(match.2),
            connection: try RedisConnection(address: try RedisURL(String(match.1)).address))
    }

    var sources: [String] { ["--redis", redis, "--orders", orders] }

    /// A command on what was kept.
    func run(_ arguments: String...) async throws -> Program.Result { try await run(arguments) }

    func reconcile(_ arguments: String...) async throws -> Program.Result { try await run(["reconcile"] + arguments) }

    private func run(_ arguments: [String]) async throws -> Program.Result {
        try await Program.start(arguments + sources, in: scratch).result()
    }

    @discardableResult
    func redis(_ name: String, _ words: String...) async throws -> RedisReply {
        var command = RedisCommand(name)
        for word in words { command.append(word) }
        return try await connection.call(command, deadline: .now + .seconds(30))
    }

    /// A flow in a SKU's ledger, as the bytes of its field.
    func anyFlow(of key: String) async throws -> [UInt8] {
        let fields = try await connection.call(RedisCommand("HKEYS", key), deadline: .now + .seconds(30)).array ?? []
        return try #require(fields.compactMap(\.bytes).first { $0.count == 16 })
    }

    /// Ends the fleet that was kept: the servers in this folder, no others.
    func end() {
        connection.close()
        for pid in scratch.servers { kill(pid, SIGKILL) }
    }
}
