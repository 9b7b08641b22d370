import Redis

extension Command {
    static let hashCommands: [Command] = [
        .growing("hset", -4) { data, argv throws(CommandError) in .integer(try data.hset(argv, name: "hset")) },
        .growing("hmset", -4) { data, argv throws(CommandError) in
            _ = try data.hset(argv, name: "hmset")
            return .ok
        },
        .growing("hsetnx", 4) { data, argv throws(CommandError) in
            if try data.field(argv[2], of: argv[1]) != nil { return .integer(0) }
            return .integer(try data.changeHash(argv[1]) { hash in hash.set(argv[2], argv[3]) ? 1 : 0 })
        },
        .reading("hget", 3) { data, argv throws(CommandError) in
            try data.field(argv[2], of: argv[1]).map { .bulk($0) } ?? .null
        },
        .reading("hmget", -3) { data, argv throws(CommandError) in
            let hash = try data.hash(argv[1])
            return .array(argv[2...].map { field in hash?.fields[field].map { .bulk($0) } ?? .null })
        },
        .writing("hdel", -3) { data, argv throws(CommandError) in
            .integer(
                try data.changeHash(argv[1]) { hash in
                    var count = 0
                    for field in argv[2...] where hash.remove(field) { count += 1 }
                    return count
                })
        },
        .reading("hexists", 3) { data, argv throws(CommandError) in
            .integer(try data.field(argv[2], of: argv[1]) == nil ? 0 : 1)
        },
        .reading("hlen", 2) { data, argv throws(CommandError) in .integer(try data.hash(argv[1])?.fields.count ?? 0) },
        .reading("hstrlen", 3) { data, argv throws(CommandError) in
            .integer(try data.field(argv[2], of: argv[1])?.count ?? 0)
        },
        .reading("hgetall", 2) { data, argv throws(CommandError) in
            .array(try data.entries(of: argv[1]).flatMap { [.bulk($0.key), .bulk($0.value)] })
        },
        .reading("hkeys", 2) { data, argv throws(CommandError) in
            .array(try data.entries(of: argv[1]).map { .bulk($0.key) })
        },
        .reading("hvals", 2) { data, argv throws(CommandError) in
            .array(try data.entries(of: argv[1]).map { .bulk($0.value) })
        },
        .growing("hincrby", 4) { data, argv throws(CommandError) in
            guard let delta = argv[3].decimal else { throw .notAnInteger }
            var value: Int64 = 0
            if let bytes = try data.field(argv[2], of: argv[1]) {
                guard let number = bytes.decimal else { throw CommandError("ERR hash value is not an integer") }
                value = number
            }
            let (sum, overflow) = value.addingReportingOverflow(delta)
            if overflow { throw CommandError("ERR increment or decrement would overflow") }
            _ = try data.changeHash(argv[1]) { hash in hash.set(argv[2], Array(String(sum).utf8)) }
            return .integer(sum)
        },
        .reading("hscan", -3) { data, argv throws(CommandError) in
            guard StreamID.number(argv[2]) != nil else { throw CommandError("ERR invalid cursor") }
            guard let hash = try data.hash(argv[1]) else { return .array([.bulk("0"), .array([])]) }
            let page = try ScanPage(argv, optionsAt: 3, cursor: argv[2])
            let all = hash.fields.entries
            let (next, some) =
                hash.isPacked ? ("0", page.filter(all) { $0.key }) : page.select(from: all) { $0.key }
            return .array([.bulk(next), .array(some.flatMap { [.bulk($0.key), .bulk($0.value)] })])
        },
    ]
}

extension RedisData {
    fileprivate func field(_ field: [UInt8], of key: [UInt8]) throws(CommandError) -> [UInt8]? {
        try hash(key)?.fields[field]
    }

    fileprivate func entries(of key: [UInt8]) throws(CommandError) -> [(key: [UInt8], value: [UInt8])] {
        try hash(key)?.fields.entries ?? []
    }

    fileprivate mutating func hset(_ argv: [[UInt8]], name: String) throws(CommandError) -> Int {
        guard argv.count % 2 == 0 else { throw .argumentCount(name) }
        return try changeHash(argv[1]) { hash in
            var count = 0
            for position in stride(from: 2, to: argv.count, by: 2)
            where hash.set(argv[position], argv[position + 1]) {
                count += 1
            }
            return count
        }
    }
}
