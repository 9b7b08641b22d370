import Glibc
import Host
import Redis
import Synchronization

/// One redis-server of a fleet: started, asked whether it serves, killed, started again.
final class FleetServer: Sendable {
    private static let startTimeout = Duration.seconds(15)

    let index: Int
    let configuration: ServerConfiguration
    private let binary: ServerBinary
    private let folder: String
    private let outlivesOwner: Bool
    private let process = Mutex<ChildProcess?>(nil)

    init(index: Int, configuration: ServerConfiguration, binary: ServerBinary, folder: String, outlivesOwner: Bool) {
        self.index = index
        self.configuration = configuration
        self.binary = binary
        self.folder = folder
        self.outlivesOwner = outlivesOwner
    }

    var address: RedisAddress { RedisAddress(host: "127.0.0.1", port: configuration.port) }

    /// Its process; of a server that is down, the last one.
    var pid: Int32 { process.withLock { $0?.pid ?? 0 } }

    var isRunning: Bool { process.withLock { $0.map { $0.ending == nil } ?? false } }

    /// Writes its configuration, starts it, and waits until it answers; for a member of a cluster, until it serves.
    func start() async throws(FleetError) {
        try FleetFolder.write(configuration.redisConf, to: "\(folder)/redis.conf")
        // Also at a restart: no slot ever moves in such a fleet, and a server killed while it wrote this file left a torn one.
        if let nodes = configuration.nodesConf { try FleetFolder.write(nodes, to: "\(folder)/nodes.conf") }
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
            while true {
                let info = try await self.ask(connection, RedisCommand("CLUSTER", "INFO"), deadline).string ?? ""
                if info.contains("cluster_state:ok"), info.contains("cluster_slots_assigned:16384") { return }
                guard ContinuousClock.now < deadline else {
                    throw FleetError(.timeout, "the cluster did not form: \(self.address) says \(Self.firstLine(info))")
                }
                try? await Task.sleep(for: .milliseconds(10))
                if Task.isCancelled { throw FleetError(.timeout, "starting the fleet was cancelled") }
            }
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
        }
    }

    private func withControlConnection(
        _ body: (RedisConnection, ContinuousClock.Instant) async throws(FleetError) -> Void
    ) async throws(FleetError) {
        var options = RedisOptions()
        options.connectTimeout = Self.startTimeout
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
        try await body(connection, .now + Self.startTimeout)
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
