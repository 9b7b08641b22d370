import Redis

/// What a script may do, and what it did, while it runs.
struct RunningScript {
    let flags: ScriptFlags
    let isReadOnly: Bool
    /// Whether memory had run out when it began: that does not change while it runs.
    let isOutOfMemory: Bool
    /// Whether it called a write: from there it is no longer stopped for memory or replicas.
    var hasWritten = false
}

/// What a script's first line, `#!lua flags=…`, declares.
struct ScriptFlags: OptionSet {
    var rawValue: UInt8
    /// There is no such line: each write is judged when it comes, not the script as a whole.
    static let undeclared = ScriptFlags(rawValue: 1)
    static let noWrites = ScriptFlags(rawValue: 2)
    static let allowsOutOfMemory = ScriptFlags(rawValue: 4)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// - Parameter source: a script.
    init(source: [UInt8]) throws(CommandError) {
        self.init(rawValue: 0)
        guard source.starts(with: Array("#!" as StaticString)) else {
            insert(.undeclared)
            return
        }
        guard let end = source.firstIndex(of: UInt8(ascii: "\n")) else {
            throw CommandError("ERR Invalid script shebang")
        }
        let words = source[..<end].split(separator: UInt8(ascii: " ")).map { Array($0).text }
        guard words[0] == "#!lua" else {
            throw CommandError("ERR Unexpected engine in script shebang: \(words[0])")
        }
        for word in words.dropFirst() {
            guard word.hasPrefix("flags=") else { throw CommandError("ERR Unknown lua shebang option: \(word)") }
            for name in word.dropFirst("flags=".count).split(separator: ",") {
                switch name {
                case "no-writes": insert(.noWrites)
                case "allow-oom": insert(.allowsOutOfMemory)
                case "allow-stale", "no-cluster", "allow-cross-slot-keys": break
                default: throw CommandError("ERR Unexpected flag in script shebang: \(name)")
                }
            }
        }
    }
}

extension RedisModelServer {
    /// SCRIPT LOAD, EXISTS and FLUSH.
    func script(_ argv: [[UInt8]]) throws(CommandError) -> RedisReply {
        let word = argv[1]
        if word.isWord("load") {
            guard argv.count == 3 else { throw .argumentCount("script|load") }
            let script = try machine.compile(argv[2])
            knownScripts.insert(script.sha)
            return .bulk(script.sha)
        }
        if word.isWord("exists") {
            guard argv.count > 2 else { throw .argumentCount("script|exists") }
            return .array(argv[2...].map { .integer(knownScripts.contains($0.lowercased) ? 1 : 0) })
        }
        if word.isWord("flush") {
            guard argv.count == 2 || argv.count == 3 && (argv[2].isWord("sync") || argv[2].isWord("async")) else {
                throw CommandError("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
            }
            forgetScripts()
            return .ok
        }
        throw .unknownSubcommand(word, of: "SCRIPT")
    }

    /// EVAL and EVALSHA.
    func evaluate(_ argv: [[UInt8]], isSource: Bool, isReadOnly: Bool) throws(CommandError) -> RedisReply {
        let noScript = CommandError("NOSCRIPT No matching script. Please use EVAL.")
        if !isSource, argv[1].count != 40 { throw noScript }
        guard let count = argv[2].decimal else { throw .notAnInteger }
        guard count <= argv.count - 3 else {
            throw CommandError("ERR Number of keys can't be greater than number of args")
        }
        guard count >= 0 else { throw CommandError("ERR Number of keys can't be negative") }
        let script: ScriptMachine.Script
        if isSource {
            script = try machine.compile(argv[1])
            knownScripts.insert(script.sha)
        } else {
            let sha = argv[1].lowercased
            guard knownScripts.contains(sha), let known = machine.scripts[sha] else { throw noScript }
            script = known
        }
        if !script.flags.contains(.undeclared), !script.flags.contains(.noWrites) {
            // A script that declares what it does is judged before it begins, as a command of that kind.
            try admit(script.flags.contains(.allowsOutOfMemory) ? .write : [.write, .deniedWithoutMemory])
            if isReadOnly { throw CommandError("ERR Can not execute a script with write flag using *_ro command.") }
        }
        running = RunningScript(
            flags: script.flags, isReadOnly: isReadOnly || script.flags.contains(.noWrites),
            isOutOfMemory: isOutOfMemory)
        defer { running = nil }
        return try machine.run(script, keys: argv[3..<3 + Int(count)], arguments: argv[(3 + Int(count))...], on: self)
    }

    /// A command that the running script calls.
    func call(_ argv: [[UInt8]]) throws(CommandError) -> RedisReply {
        guard let command = Command.find(argv) else {
            throw CommandError("ERR Unknown Redis command called from script")
        }
        guard command.takes(argv.count) else {
            throw CommandError("ERR Wrong number of args calling Redis command from script")
        }
        if command.flags.contains(.deniedInScripts) {
            throw CommandError("ERR This Redis command is not allowed from script")
        }
        if command.flags.contains(.write), let script = running {
            if script.isReadOnly { throw CommandError("ERR Write commands are not allowed from read-only scripts.") }
            if identity.role == .replica { throw .readOnly }
            if !script.hasWritten, lacksReplicas { throw .noReplicas }
        }
        if command.flags.contains(.deniedWithoutMemory), let script = running, script.isOutOfMemory,
            !script.hasWritten, !script.flags.contains(.allowsOutOfMemory)
        {
            throw .outOfMemory
        }
        if command.flags.contains(.write) { running?.hasWritten = true }
        if command.name == "xread", argv.contains(where: { $0.isWord("block") }) {
            throw CommandError("ERR xread command is not allowed with BLOCK option from scripts")
        }
        return try perform(command, argv)
    }
}
