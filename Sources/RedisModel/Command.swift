import Redis

/// One command: what it is called, what it needs, what it does.
struct Command: Sendable {
    struct Flags: OptionSet, Sendable {
        let rawValue: UInt8
        /// Changes data: refused by replicas, and where too few replicas are attached.
        static let write = Flags(rawValue: 1)
        /// May need memory: refused when there is none.
        static let deniedWithoutMemory = Flags(rawValue: 2)
        static let deniedInScripts = Flags(rawValue: 4)
    }

    typealias DataAction = @Sendable (inout RedisData, [[UInt8]]) throws(CommandError) -> RedisReply
    typealias ServerAction = @Sendable (RedisModelServer, [[UInt8]]) throws(CommandError) -> RedisReply

    enum Action: Sendable {
        /// Needs nothing but the data.
        case data(DataAction)
        case server(ServerAction)
    }

    /// Small letters.
    let name: String
    /// Arguments, the name counted; below zero: at least so many.
    let arity: Int
    let flags: Flags
    let action: Action

    /// The command that `argv` names; `nil` if there is none.
    static func find(_ argv: [[UInt8]]) -> Command? { byName[argv[0].lowercased] }

    func takes(_ count: Int) -> Bool { arity < 0 ? count >= -arity : count == arity }

    private static let byName: [[UInt8]: Command] = Dictionary(
        uniqueKeysWithValues: (stringCommands + keyCommands + hashCommands + streamCommands + serverCommands).map {
            (Array($0.name.utf8), $0)
        })

    static func reading(_ name: String, _ arity: Int, _ action: @escaping DataAction) -> Command {
        Command(name: name, arity: arity, flags: [], action: .data(action))
    }

    static func writing(_ name: String, _ arity: Int, _ action: @escaping DataAction) -> Command {
        Command(name: name, arity: arity, flags: .write, action: .data(action))
    }

    static func growing(_ name: String, _ arity: Int, _ action: @escaping DataAction) -> Command {
        Command(name: name, arity: arity, flags: [.write, .deniedWithoutMemory], action: .data(action))
    }

    static func serving(
        _ name: String, _ arity: Int, _ flags: Flags = .deniedInScripts, _ action: @escaping ServerAction
    ) -> Command {
        Command(name: name, arity: arity, flags: flags, action: .server(action))
    }
}

extension RedisModelServer {
    /// A command that came over the wire.
    func dispatch(_ argv: [[UInt8]]) throws(CommandError) -> RedisReply {
        guard let word = argv.first else { throw CommandError("ERR empty command") }
        guard let command = Command.find(argv) else {
            let some = argv.dropFirst().map { "'\($0.text)' " }.joined()
            throw CommandError("ERR unknown command '\(word.text)', with args beginning with: \(some)")
        }
        guard command.takes(argv.count) else { throw .argumentCount(command.name) }
        try admit(command.flags)
        return try perform(command, argv)
    }

    /// Throws what forbids a command of this kind now.
    func admit(_ flags: Command.Flags) throws(CommandError) {
        if isOutOfMemory, flags.contains(.deniedWithoutMemory) { throw .outOfMemory }
        if flags.contains(.write) {
            if lacksReplicas { throw .noReplicas }
            if identity.role == .replica { throw .readOnly }
        }
    }

    /// Runs a command that is known to be allowed, and tells of its write.
    func perform(_ command: Command, _ argv: [[UInt8]]) throws(CommandError) -> RedisReply {
        switch command.action {
        case .server(let run): return try run(self, argv)
        case .data(let run):
            data.milliseconds = UInt64(timeMicroseconds / 1000)
            let reply = try run(&data, argv)
            if command.flags.contains(.write), let onWrite { onWrite(Self.replicated(argv, reply)) }
            return reply
        }
    }

    /// A write as replicas get it: an id that the server chose is told.
    private static func replicated(_ argv: [[UInt8]], _ reply: RedisReply) -> [[UInt8]] {
        guard argv[0].isWord("xadd"), case .bulk(let id) = reply,
            let position = argv.firstIndex(of: [UInt8(ascii: "*")])
        else { return argv }
        var argv = argv
        argv[position] = id
        return argv
    }

    /// Replicas take no notice: their master decides.
    var isOutOfMemory: Bool {
        identity.role == .master && memory.maxBytes > 0 && memory.usedBytes > memory.maxBytes
    }
    var lacksReplicas: Bool {
        identity.role == .master && minReplicasToWrite > 0 && identity.connectedReplicas < minReplicasToWrite
    }
}

extension CommandError {
    static let outOfMemory = CommandError("OOM command not allowed when used memory > 'maxmemory'.")
    static let noReplicas = CommandError("NOREPLICAS Not enough good replicas to write.")
    static let readOnly = CommandError("READONLY You can't write against a read only replica.")
}
