import Redis

extension Command {
    static let serverCommands: [Command] = [
        .serving("ping", -1, []) { _, argv throws(CommandError) in
            guard argv.count < 3 else { throw .argumentCount("ping") }
            return argv.count == 1 ? .status("PONG") : .bulk(argv[1])
        },
        .serving("echo", 2, []) { _, argv throws(CommandError) in .bulk(argv[1]) },
        .serving("time", 1, []) { server, _ throws(CommandError) in
            .array([
                .bulk("\(server.timeMicroseconds / 1_000_000)"), .bulk("\(server.timeMicroseconds % 1_000_000)"),
            ])
        },
        .serving("info", -1, []) { server, argv throws(CommandError) in .bulk(server.info(argv)) },
        .serving("role", 1) { server, _ throws(CommandError) in server.role },
        .serving("wait", 3) { server, argv throws(CommandError) in
            if server.identity.role == .replica {
                throw CommandError(
                    "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is "
                        + "configured to be writable (which is not the default) writes to replicas are just local and "
                        + "are not propagated.")
            }
            guard argv[1].decimal != nil else { throw .notAnInteger }
            guard let timeout = argv[2].decimal else {
                throw CommandError("ERR timeout is not an integer or out of range")
            }
            guard timeout >= 0 else { throw CommandError("ERR timeout is negative") }
            return .integer(server.waitAnswer ?? server.identity.connectedReplicas)
        },
        .serving("config", -2) { server, argv throws(CommandError) in try server.config(argv) },
        // A name of the connection: nothing here asks for it.
        .serving("client", -2) { _, argv throws(CommandError) in
            guard argv[1].isWord("setname") else { throw .unknownSubcommand(argv[1], of: "CLIENT") }
            return .ok
        },
        .serving("select", 2) { _, argv throws(CommandError) in
            guard argv[1] == [UInt8(ascii: "0")] else { throw CommandError("ERR DB index is out of range") }
            return .ok
        },
        .serving("script", -2) { server, argv throws(CommandError) in try server.script(argv) },
        .serving("eval", -3) { server, argv throws(CommandError) in
            try server.evaluate(argv, isSource: true, isReadOnly: false)
        },
        .serving("evalsha", -3) { server, argv throws(CommandError) in
            try server.evaluate(argv, isSource: false, isReadOnly: false)
        },
        .serving("eval_ro", -3) { server, argv throws(CommandError) in
            try server.evaluate(argv, isSource: true, isReadOnly: true)
        },
        .serving("evalsha_ro", -3) { server, argv throws(CommandError) in
            try server.evaluate(argv, isSource: false, isReadOnly: true)
        },
    ]
}

extension RedisModelServer {
    /// What a server of the embedded fleet is configured to, of what is asked for.
    static let defaultSettings: [String: String] = [
        "appendonly": "no", "appendfsync": "everysec", "maxmemory": "0", "maxmemory-policy": "noeviction", "save": "",
        "min-replicas-to-write": "0", "hash-max-listpack-entries": "\(HashValue.packedEntriesMax)",
        "hash-max-listpack-value": "\(HashValue.packedBytesMax)", "cluster-enabled": "no", "replica-read-only": "yes",
    ]

    /// CONFIG GET and SET. `maxmemory` and `min-replicas-to-write` are `memory.maxBytes` and `minReplicasToWrite`.
    fileprivate func config(_ argv: [[UInt8]]) throws(CommandError) -> RedisReply {
        if argv[1].isWord("get"), argv.count > 2 {
            var all = settings
            all["maxmemory"] = "\(memory.maxBytes)"
            all["min-replicas-to-write"] = "\(minReplicasToWrite)"
            let names = all.keys.sorted().filter { name in
                argv[2...].contains { Array(name.utf8).matches(glob: $0.lowercased) }
            }
            return .array(names.flatMap { [.bulk($0), .bulk(all[$0]!)] })
        }
        if argv[1].isWord("set"), argv.count >= 4, argv.count % 2 == 0 {
            for position in stride(from: 2, to: argv.count, by: 2) {
                let (name, value) = (argv[position].lowercased.text, argv[position + 1])
                switch name {
                case "maxmemory": memory.maxBytes = value.decimal ?? 0
                case "min-replicas-to-write": minReplicasToWrite = Int(value.decimal ?? 0)
                default: settings[name] = value.text
                }
            }
            return .ok
        }
        if argv[1].isWord("get") || argv[1].isWord("set") { throw .argumentCount("config|\(argv[1].lowercased.text)") }
        throw .unknownSubcommand(argv[1], of: "CONFIG")
    }

    // MARK: INFO

    fileprivate var role: RedisReply {
        switch identity.role {
        case .master:
            let replicas = (0..<identity.connectedReplicas).map { index in
                RedisReply.array([.bulk("127.0.0.1"), .bulk("\(Self.firstReplicaPort + index)"), .bulk("0")])
            }
            return .array([.bulk("master"), .integer(0), .array(replicas)])
        case .replica:
            return .array([.bulk("slave"), .bulk("127.0.0.1"), .integer(6379), .bulk("connected"), .integer(0)])
        }
    }

    /// Where the replicas of INFO replication and ROLE are said to listen.
    private static let firstReplicaPort = 6380

    /// The sections that are asked for, of those that something reads.
    fileprivate func info(_ argv: [[UInt8]]) -> [UInt8] {
        if argv.count == 2 {
            if argv[1].isWord("replication") { return kept("replication") { replication } }
            if argv[1].isWord("server") { return kept("server") { processInfo } }
        }
        let all = ["server", "memory", "persistence", "replication", "cluster", "keyspace"]
        let asked = argv.dropFirst().map { $0.lowercased.text }
        let isAll = asked.isEmpty || asked.contains { ["all", "default", "everything"].contains($0) }
        let sections = all.filter { isAll || asked.contains($0) }
        return Array(sections.map(section).map { $0.text }.joined(separator: "\r\n").utf8)
    }

    private func section(_ name: String) -> [UInt8] {
        switch name {
        case "server": processInfo
        case "memory":
            Self.lines([
                "# Memory", "used_memory:\(memory.usedBytes)", "used_memory_peak:\(memory.usedBytes)",
                "maxmemory:\(memory.maxBytes)", "maxmemory_policy:\(settings["maxmemory-policy"] ?? "noeviction")",
            ])
        case "persistence":
            Self.lines([
                "# Persistence", "loading:0", "async_loading:0", "rdb_bgsave_in_progress:0",
                "rdb_last_bgsave_status:ok", "aof_enabled:\(settings["appendonly"] == "yes" ? 1 : 0)",
                "aof_last_bgrewrite_status:ok", "aof_last_write_status:ok",
            ])
        case "replication": replication
        case "cluster": Self.lines(["# Cluster", "cluster_enabled:0"])
        default:
            Self.lines(
                ["# Keyspace"] + (data.isEmpty ? [] : ["db0:keys=\(data.table.count),expires=0,avg_ttl=0"]))
        }
    }

    private func kept(_ name: String, _ make: () -> [UInt8]) -> [UInt8] {
        if let kept = keptInfo[name], kept.identity == identity { return kept.bytes }
        let bytes = make()
        keptInfo[name] = (identity, bytes)
        return bytes
    }

    private var processInfo: [UInt8] {
        Self.lines([
            "# Server", "redis_version:7.0.15", "redis_mode:standalone", "arch_bits:64", "run_id:\(identity.runID)",
        ])
    }

    private var replication: [UInt8] {
        var lines = ["# Replication"]
        switch identity.role {
        case .master: lines.append("role:master")
        case .replica:
            lines += [
                "role:slave", "master_host:127.0.0.1", "master_port:6379", "master_link_status:up",
                "master_last_io_seconds_ago:0", "master_sync_in_progress:0", "slave_read_only:1",
            ]
        }
        lines.append("connected_slaves:\(identity.connectedReplicas)")
        for index in 0..<identity.connectedReplicas {
            lines.append("slave\(index):ip=127.0.0.1,port=\(Self.firstReplicaPort + index),state=online,offset=0,lag=0")
        }
        lines += [
            "master_failover_state:no-failover", "master_replid:\(identity.replicationID)",
            "master_replid2:0000000000000000000000000000000000000000", "master_repl_offset:0", "second_repl_offset:-1",
            "repl_backlog_active:\(identity.connectedReplicas > 0 ? 1 : 0)", "repl_backlog_size:1048576",
            "repl_backlog_first_byte_offset:0", "repl_backlog_histlen:0",
        ]
        return Self.lines(lines)
    }

    private static func lines(_ lines: [String]) -> [UInt8] { Array(lines.map { $0 + "\r\n" }.joined().utf8) }
}
