import Glibc
import Host
import Redis
import Synchronization

/// One redis-server of a fleet: started, asked whether it serves, killed, started again.
final class FleetServer: Sendable {
    private static let startTimeout = Duration.seconds(15)

    let index: Int
    let configuration: ServerConfiguration
    let folder: String
    private let binary: ServerBinary
    private let outlivesOwner: Bool
    private let process = Mutex<ChildProcess?>(nil)
    /// Whom a server outside a cluster copies, from its next start on at the latest.
    private let master = Mutex<RedisAddress?>(nil)

    init(
        index: Int, configuration: ServerConfiguration, replicaOf: RedisAddress? = nil, binary: ServerBinary,
        folder: String, outlivesOwner: Bool
    ) {
        self.index = index
        self.configuration = configuration
        self.binary = binary
        self.folder = folder
        self.outlivesOwner = outlivesOwner
        master.withLock { $0 = replicaOf }
    }

    var address: RedisAddress { RedisAddress(host: "127.0.0.1", port: configuration.port) }

    /// Its process; of a server that is down, the last one.
    var pid: Int32 { process.withLock { $0?.pid ?? 0 } }

    var isRunning: Bool { process.withLock { $0.map { $0.ending == nil } ?? false } }

    /// What the next start makes it; tells nothing to a running server.
    func willReplicate(_ address: RedisAddress?) { master.withLock { $0 = address } }

    /// Writes its configuration, starts it, and waits until it answers and has read what it kept.
    func start() async throws(FleetError) {
        let master = master.withLock { $0 }
        try FleetFolder.write(
            configuration.redisConf(replicaOf: master.map { ($0.host, $0.port) }), to: "\(folder)/redis.conf")
        if let nodes = configuration.nodesConf, !keepsItsNodes {
            try FleetFolder.write(nodes, to: "\(folder)/nodes.conf")
        }
        let log = open("\(folder)/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else { throw FleetError(.folder, "cannot write \(folder)/log: \(HostError.reason(errno))") }
        defer { close(log) }
        do {
            let child = try await ChildProcess.start(
                .init(
                    executable: binary.path, arguments: ["redis.conf"], environment: ["LC_ALL=C"], directory: folder,
                    output: log, outlivesParent: outlivesOwner))
            process.withLock { $0 = child }
        } catch {
            throw FleetError(.died, error.message)
        }
        try await waitUntilItAnswers()
    }

    /// Whether the member's own knowledge of its cluster counts at a restart: where masters have replicas, or it was added, who is
    /// master may have changed since the beginning. Elsewhere no slot ever moves, and a server killed while it wrote this file left a torn
    /// one.
    private var keepsItsNodes: Bool {
        guard let cluster = configuration.cluster,
            cluster.members.count == 1 || cluster.members.contains(where: { $0.master != nil })
        else { return false }
        return FleetFolder.read("\(folder)/nodes.conf")?.contains(" lastVoteEpoch ") ?? false
    }

    /// Sends a signal to its process; nothing once that ended.
    func signal(_ number: Int32) { process.withLock { $0 }?.kill(number) }

    /// Kills it with SIGKILL and waits until it is gone.
    func kill() async {
        let child = process.withLock { $0 }
        child?.kill(SIGKILL)
        await child?.waitForEnd()
    }

    /// Kills it and does not wait.
    func killNow() {
        process.withLock { $0 }?.kill(SIGKILL)
    }

    /// Waits until the member says that the cluster is well and that it knows an owner of every slot.
    func waitUntilItServes() async throws(FleetError) {
        guard configuration.cluster != nil else { return }
        try await withControlConnection { connection, deadline throws(FleetError) in
            try await self.poll(
                connection, RedisCommand("CLUSTER", "INFO"), deadline,
                until: { $0.contains("cluster_state:ok") && $0.contains("cluster_slots_assigned:16384") },
                otherwise: { "the cluster did not form: \(self.address) says \(Self.firstLine($0))" })
        }
    }

    /// Waits until it is a replica that has its first copy and hears its master.
    ///
    /// - Parameter master: where that is to be found.
    func waitUntilItFollows(_ master: RedisAddress) async throws(FleetError) {
        try await withControlConnection { connection, deadline throws(FleetError) in
            try await self.poll(
                connection, RedisCommand("INFO", "replication"), deadline,
                until: { text in
                    ["role:slave", "master_port:\(master.port)", "master_link_status:up"].allSatisfy {
                        text.contains("\($0)\r\n")
                    }
                },
                otherwise: { _ in "\(self.address) did not get a first copy from its master \(master)" })
        }
    }

    /// Waits until it is a master.
    func waitUntilItLeads() async throws(FleetError) {
        try await withControlConnection { connection, deadline throws(FleetError) in
            try await self.poll(
                connection, RedisCommand("INFO", "replication"), deadline,
                until: { $0.contains("role:master\r\n") },
                otherwise: { _ in "\(self.address) did not become a master" })
        }
    }

    /// Waits until the member knows another one, shaken hands included.
    func waitUntilItKnows(_ id: String) async throws(FleetError) {
        try await withControlConnection { connection, deadline throws(FleetError) in
            try await self.poll(
                connection, RedisCommand("CLUSTER", "NODES"), deadline,
                until: { text in
                    text.split(separator: "\n").contains { $0.hasPrefix(id) && !$0.contains("handshake") }
                },
                otherwise: { _ in "\(self.address) was not taken into the cluster" })
        }
    }

    /// The newest part of its append-only file.
    func appendOnlyPath() throws(FleetError) -> String {
        // appendonly.aof.<number>.incr.aof
        let parts = FleetFolder.entries(of: "\(folder)/appendonlydir").compactMap { name -> (Int, String)? in
            let words = name.split(separator: ".")
            guard words.count == 5, words[3] == "incr", let number = Int(words[2]) else { return nil }
            return (number, name)
        }
        guard let newest = parts.max(by: { $0.0 < $1.0 }) else {
            throw FleetError(
                .misuse, "\(address) has no append-only file; start its fleet with ServerOptions.appendOnly")
        }
        return "\(folder)/appendonlydir/\(newest.1)"
    }

    /// Sends commands to a running server, one after the other; while it loads a copy from its master, they wait.
    func tell(_ commands: [RedisCommand], within limit: Duration = .seconds(5)) async throws(FleetError) -> [RedisReply]
    {
        try await withControlConnection(within: limit) { connection, deadline throws(FleetError) in
            var replies: [RedisReply] = []
            for command in commands {
                do throws(RedisError) {
                    replies.append(try await Self.call(connection, command, deadline))
                } catch {
                    throw FleetError(self.isRunning ? .timeout : .died, error.message)
                }
            }
            return replies
        }
    }

    private static func call(
        _ connection: RedisConnection, _ command: RedisCommand, _ deadline: ContinuousClock.Instant
    ) async throws(RedisError) -> RedisReply {
        while true {
            do throws(RedisError) { return try await connection.call(command, deadline: deadline) } catch {
                guard error.kind == .loading, ContinuousClock.now < deadline, !Task.isCancelled else { throw error }
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    /// One command; see `tell` above.
    func tell(_ words: String..., within limit: Duration = .seconds(5)) async throws(FleetError) -> RedisReply {
        var command = RedisCommand(words[0])
        for word in words.dropFirst() { command.append(word) }
        return try await tell([command], within: limit)[0]
    }

    /// Asks again and again until the answer is as wanted.
    private func poll(
        _ connection: RedisConnection, _ command: RedisCommand, _ deadline: ContinuousClock.Instant,
        until isGood: (String) -> Bool, otherwise complaint: (String) -> String
    ) async throws(FleetError) {
        while true {
            let text = try await ask(connection, command, deadline).string ?? ""
            if isGood(text) { return }
            guard ContinuousClock.now < deadline else { throw FleetError(.timeout, complaint(text)) }
            try? await Task.sleep(for: .milliseconds(5))
            if Task.isCancelled { throw FleetError(.timeout, "starting the fleet was cancelled") }
        }
    }

    private func waitUntilItAnswers() async throws(FleetError) {
        try await withControlConnection { connection, deadline throws(FleetError) in
            let info = try await self.ask(connection, RedisCommand("INFO", "server"), deadline).string ?? ""
            // Another program's server may have taken the port a moment before ours, which then dies.
            guard info.contains("process_id:\(self.pid)\r\n") else {
                await self.kill()
                throw FleetError(.died, "port \(self.configuration.port) was taken by another server; try again")
            }
            try await self.poll(
                connection, RedisCommand("INFO", "persistence"), deadline,
                // By field: `async_loading:0` ends in the same bytes.
                until: { RedisInfo($0).int("loading") == 0 },
                otherwise: { _ in "\(self.address) still reads what it had kept" })
        }
    }

    private func withControlConnection<Value>(
        within limit: Duration = startTimeout,
        _ body: (RedisConnection, ContinuousClock.Instant) async throws(FleetError) -> Value
    ) async throws(FleetError) -> Value {
        var options = RedisOptions()
        options.connectTimeout = limit
        options.backoffMin = .milliseconds(2)
        options.backoffMax = .milliseconds(10)
        options.clientName = ""
        let connection: RedisConnection
        do throws(RedisError) {
            connection = try RedisConnection(address: address, password: password, options: options)
        } catch {
            throw FleetError(.died, error.message)
        }
        defer { connection.close() }
        // A server that dies is not waited for.
        process.withLock { $0 }?.onEnd { [weak connection] _ in connection?.close() }
        return try await body(connection, .now + limit)
    }

    private func ask(
        _ connection: RedisConnection, _ command: RedisCommand, _ deadline: ContinuousClock.Instant
    ) async throws(FleetError) -> RedisReply {
        do throws(RedisError) {
            return try await connection.call(command, deadline: deadline)
        } catch {
            if isRunning { throw FleetError(.timeout, "redis-server does not come up: \(error.message)") }
            throw FleetError(.died, "redis-server on \(address) ended while starting: \(lastLogLine)")
        }
    }

    /// A password that the extra configuration sets.
    var password: String? {
        for line in configuration.extraLines {
            let words = line.split(separator: " ")
            if words.count == 2, words[0].lowercased() == "requirepass" { return String(words[1]) }
        }
        return nil
    }

    /// The last line of its log, without process id, role and time.
    private var lastLogLine: String {
        let descriptor = open("\(folder)/log", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "it left no log" }
        defer { close(descriptor) }
        let size = lseek(descriptor, 0, SEEK_END)
        lseek(descriptor, max(0, size - 8192), SEEK_SET)
        let text = withUnsafeTemporaryAllocation(byteCount: 8192, alignment: 1) { buffer in
            String(decoding: buffer[..<max(0, read(descriptor, buffer.baseAddress, buffer.count))], as: UTF8.self)
        }
        guard let line = text.split(whereSeparator: \.isNewline).last else { return "it left no log" }
        // 1234:M 21 Nov 2026 03:26:11.480 # Warning: …
        let words = line.split(separator: " ", maxSplits: 6)
        return String(words.count == 7 && words[0].contains(":") ? words[6] : line)
    }

    private static func firstLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).first.map(String.init) ?? "nothing"
    }
}
