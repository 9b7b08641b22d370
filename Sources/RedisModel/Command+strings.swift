import Redis

extension Command {
    static let stringCommands: [Command] = [
        .reading("get", 2) { data, argv throws(CommandError) in try data.string(argv[1]).map { .bulk($0) } ?? .null },
        .growing("set", -3) { data, argv throws(CommandError) in try data.set(argv) },
        .growing("setnx", 3) { data, argv throws(CommandError) in
            if data.table.contains(argv[1]) { return .integer(0) }
            data.table.update(argv[1], .string(argv[2]))
            return .integer(1)
        },
        .reading("strlen", 2) { data, argv throws(CommandError) in .integer(try data.string(argv[1])?.count ?? 0) },
        .reading("mget", -2) { data, argv throws(CommandError) in
            .array(
                argv.dropFirst().map { key in
                    if case .string(let bytes) = data.table[key] { .bulk(bytes) } else { .null }
                })
        },
        .growing("mset", -3) { data, argv throws(CommandError) in
            guard argv.count % 2 == 1 else { throw CommandError("ERR wrong number of arguments for 'mset' command") }
            for place in stride(from: 1, to: argv.count, by: 2) {
                data.table.update(argv[place], .string(argv[place + 1]))
            }
            return .ok
        },
        .growing("append", 3) { data, argv throws(CommandError) in
            let whole = (try data.string(argv[1]) ?? []) + argv[2]
            data.table.update(argv[1], .string(whole))
            return .integer(whole.count)
        },
        .growing("incr", 2) { data, argv throws(CommandError) in try data.add(1, to: argv[1]) },
        .growing("decr", 2) { data, argv throws(CommandError) in try data.add(-1, to: argv[1]) },
        .growing("incrby", 3) { data, argv throws(CommandError) in
            guard let delta = argv[2].decimal else { throw .notAnInteger }
            return try data.add(delta, to: argv[1])
        },
        .growing("decrby", 3) { data, argv throws(CommandError) in
            guard let delta = argv[2].decimal else { throw .notAnInteger }
            if delta == .min { throw CommandError("ERR decrement would overflow") }
            return try data.add(-delta, to: argv[1])
        },
    ]
}

extension RedisData {
    fileprivate mutating func add(_ delta: Int64, to key: [UInt8]) throws(CommandError) -> RedisReply {
        var value: Int64 = 0
        if let bytes = try string(key) {
            guard let number = bytes.decimal else { throw .notAnInteger }
            value = number
        }
        let (sum, overflow) = value.addingReportingOverflow(delta)
        if overflow { throw CommandError("ERR increment or decrement would overflow") }
        table.update(key, .string(Array(String(sum).utf8)))
        return .integer(sum)
    }

    /// SET with NX, XX and GET. A time to live is refused: nothing here sets one, and there is no clock to end it.
    fileprivate mutating func set(_ argv: [[UInt8]]) throws(CommandError) -> RedisReply {
        var onlyNew = false
        var onlyOld = false
        var tellsOld = false
        for option in argv.dropFirst(3) {
            if option.isWord("nx"), !onlyOld {
                onlyNew = true
            } else if option.isWord("xx"), !onlyNew {
                onlyOld = true
            } else if option.isWord("get") {
                tellsOld = true
            } else if !option.isWord("keepttl") {
                throw .syntax
            }
        }
        let old: RedisReply = tellsOld ? try string(argv[1]).map { .bulk($0) } ?? .null : .null
        let exists = table.contains(argv[1])
        if onlyNew && exists || onlyOld && !exists { return old }
        table.update(argv[1], .string(argv[2]))
        return tellsOld ? old : .ok
    }
}
