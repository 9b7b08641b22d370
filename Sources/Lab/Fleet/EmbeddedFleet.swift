import Host
import Redis
import Synchronization

/// A private Redis Cluster, or a single server, with or without replicas, on free loopback ports in a private folder.
///
/// Nothing of it outlives this process, whatever ends the process, unless `keepFolder` is given: the kernel kills the servers
/// with the process, and the next start removes the folder. Holding a value of this type is what allows to inject faults.
public final class EmbeddedFleet: Sendable {
    /// Ports may be taken between the look and the use.
    private static let attemptsMax = 5

    /// A master and those that copy it, by index.
    struct Shard: Sendable {
        var master: Int
        var replicas: [Int]
    }

    struct Contents {
        var servers: [FleetServer] = []
        var ports: [Int] = []
        var shards: [Shard] = []
        var stopped = false
    }

    let configuration: Configuration
    private let binary: ServerBinary
    private let folder: FleetFolder
    let contents = Mutex(Contents())

    private init(configuration: Configuration, binary: ServerBinary, folder: FleetFolder) {
        self.configuration = configuration
        self.binary = binary
        self.folder = folder
    }

    deinit {
        guard configuration.keepFolder == nil, !contents.withLock({ $0.stopped }) else { return }
        let servers = contents.withLock { $0.servers }
        for server in servers { server.killNow() }
        folder.remove(servers: servers.count)
        FleetPorts.release(contents.withLock { $0.ports })
    }

    /// Starts a fleet and waits until it serves every slot: 2 s for a cluster (Redis itself keeps a new master silent for
    /// that long), well below 0.2 s for a single server, a little more with replicas.
    ///
    /// - Throws: one line: no redis-server, too old, no free port, an unusable folder, a server that died with its last
    ///   log line. Nothing is left running then.
    public static func start(_ configuration: Configuration = Configuration()) async throws(FleetError) -> EmbeddedFleet
    {
        try configuration.validate()
        configuration.onState?(.starting)
        let binary = try await ServerBinary.find()
        let keepFolder = configuration.keepFolder
        let folder = try await offPool { () throws(FleetError) in
            if let keepFolder { try FleetFolder.take(keepFolder) } else { try FleetFolder.makeTemporary() }
        }
        let fleet = EmbeddedFleet(configuration: configuration, binary: binary, folder: folder)
        do throws(FleetError) {
            try await fleet.startServers()
        } catch {
            await fleet.tearDown()
            throw error
        }
        configuration.onState?(.serving)
        return fleet
    }

    /// `redis://` address of the first server.
    public var url: String { url(of: 0) }

    /// `redis://` address of a server.
    public func url(of index: Int) -> String {
        let server = contents.withLock { $0.servers[index] }
        return "redis://\(server.password.map { ":\($0)@" } ?? "")\(server.address)"
    }

    /// Absolute path of the folder that holds the servers.
    public var folderPath: String { folder.path }

    /// Version of its redis-server, such as `7.0.15`.
    public var version: String { binary.version }

    /// The servers: masters first, then their replicas, then added ones.
    public var nodes: [Node] {
        let (servers, shards) = contents.withLock { ($0.servers, $0.shards) }
        return servers.map { server in
            Node(
                index: server.index, role: Self.role(of: server.index, in: shards), address: server.address,
                clientAddress: server.address, pid: server.pid, isUp: server.isRunning)
        }
    }

    private static func role(of index: Int, in shards: [Shard]) -> Role {
        for (number, shard) in shards.enumerated() {
            if shard.master == index { return .master(shard: number) }
            if shard.replicas.contains(index) { return .replica(shard: number) }
        }
        return .outside
    }

    // MARK: Faults

    /// Kills a server with SIGKILL and waits until it is gone.
    public func crash(_ index: Int) async throws(FleetError) {
        let server = try server(index)
        guard server.isRunning else { throw FleetError(.misuse, "\(server.address) is down already") }
        await server.kill()
    }

    /// Starts a server that is down again: the same port, node and slots, without data unless `options` keep it; a replica gets
    /// its copy a moment later. Returns once it serves; a cluster member does 2 s after its start.
    public func restart(_ index: Int) async throws(FleetError) {
        let server = try server(index)
        guard !server.isRunning else { throw FleetError(.misuse, "\(server.address) is up already") }
        try await server.start()
        // A stop that came meanwhile must not leave it behind.
        if contents.withLock({ $0.stopped }), configuration.keepFolder == nil { await server.kill() }
        try await server.waitUntilItServes()
    }

    /// `crash`, a pause, `restart`.
    public func crashAndReturn(_ index: Int, after pause: Duration) async throws(FleetError) {
        try await crash(index)
        try? await Task.sleep(for: pause)
        try await restart(index)
    }

    /// Starts another server outside the cluster, such as a replica (`replicaof 127.0.0.1 7000`).
    public func addServer(extraLines: [String] = []) async throws(FleetError) -> Node {
        guard !contents.withLock({ $0.stopped }) else { throw FleetError(.misuse, "the fleet was stopped") }
        let port = try FleetPorts.reserve(1)[0]
        let server = try contents.withLock { contents throws(FleetError) in
            let index = contents.servers.count
            let server = FleetServer(
                index: index,
                configuration: .init(port: port, cluster: nil, options: configuration.options, extraLines: extraLines),
                binary: binary, folder: try folder.makeNodeFolder(index),
                outlivesOwner: configuration.keepFolder != nil)
            contents.servers.append(server)
            contents.ports.append(port)
            return server
        }
        try await server.start()
        return nodes[server.index]
    }

    // MARK: Ending

    /// Kills the servers and removes the folder; leaves both if `keepFolder` was given. Idempotent.
    public func stop() async {
        contents.withLock { $0.stopped = true }
        if configuration.keepFolder == nil { await tearDown() }
        configuration.onState?(.stopped)
    }

    private func tearDown() async {
        let (servers, ports) = contents.withLock { contents in
            contents.stopped = true
            return (contents.servers, contents.ports)
        }
        for server in servers { server.killNow() }
        for server in servers { await server.kill() }
        folder.remove(servers: servers.count)
        FleetPorts.release(ports)
    }

    // MARK: Starting

    func server(_ index: Int) throws(FleetError) -> FleetServer {
        try contents.withLock { contents throws(FleetError) in
            guard !contents.stopped else { throw FleetError(.misuse, "the fleet was stopped") }
            guard contents.servers.indices.contains(index) else {
                throw FleetError(.misuse, "there is no node \(index); the fleet has \(contents.servers.count)")
            }
            return contents.servers[index]
        }
    }

    private func startServers() async throws(FleetError) {
        for attempt in 1... {
            do throws(FleetError) {
                try await startServersOnce()
                return
            } catch {
                let collided =
                    error.kind == .died && (error.message.contains("in use") || error.message.contains("taken"))
                guard collided, attempt < Self.attemptsMax else { throw error }
                let (servers, ports) = contents.withLock { contents in
                    defer { contents = Contents() }
                    return (contents.servers, contents.ports)
                }
                for server in servers { await server.kill() }
                FleetPorts.release(ports)
            }
        }
    }

    private func startServersOnce() async throws(FleetError) {
        let (masters, replicas) = (configuration.masters, configuration.replicas)
        let count = masters * (1 + replicas)
        let isCluster = masters > 1
        let ports = try FleetPorts.reserve(isCluster ? 2 * count : count)
        contents.withLock { $0.ports = ports }
        let members =
            isCluster
            ? ServerConfiguration.members(
                masters: masters, replicas: replicas, ports: Array(ports[..<count]), busPorts: Array(ports[count...]))
            : []
        var servers: [FleetServer] = []
        for index in 0..<count {
            servers.append(
                FleetServer(
                    index: index,
                    configuration: .init(
                        port: ports[index], cluster: isCluster ? (members, index) : nil, options: configuration.options,
                        extraLines: configuration.extraLines),
                    replicaOf: isCluster || index < masters ? nil : RedisAddress(host: "127.0.0.1", port: ports[0]),
                    binary: binary, folder: try folder.makeNodeFolder(index),
                    outlivesOwner: configuration.keepFolder != nil))
        }
        contents.withLock { [servers] contents in
            contents.servers = servers
            contents.shards = (0..<masters).map { shard in
                let first = masters + shard * replicas
                return Shard(master: shard, replicas: Array(first..<first + replicas))
            }
        }
        // Masters first: a replica that finds nobody asks again only after a second.
        try await Self.onEach(servers[..<masters]) { server throws(FleetError) in try await server.start() }
        try await Self.onEach(servers[masters...]) { server throws(FleetError) in try await server.start() }
        guard isCluster || replicas > 0 else { return }
        configuration.onState?(.forming)
        try await Self.onEach(servers[...]) { server throws(FleetError) in
            try await server.waitUntilItServes()
            if server.index >= masters { try await server.waitUntilItFollows() }
        }
    }

    /// Runs `body` for all servers at once; the first error, after all ended.
    private static func onEach(
        _ servers: ArraySlice<FleetServer>, _ body: @escaping @Sendable (FleetServer) async throws(FleetError) -> Void
    ) async throws(FleetError) {
        let failure = await withTaskGroup(of: FleetError?.self) { group in
            for server in servers {
                group.addTask {
                    do throws(FleetError) { try await body(server) } catch { return error }
                    return nil
                }
            }
            var first: FleetError?
            for await failure in group where first == nil { first = failure }
            return first
        }
        if let failure { throw failure }
    }

    /// Runs blocking work on a thread of its own.
    private static func offPool<Value: Sendable>(
        _ body: @escaping @Sendable () throws(FleetError) -> Value
    ) async throws(FleetError) -> Value {
        let result: Result<Value, FleetError> = await withCheckedContinuation { continuation in
            do throws(HostError) {
                try OSThread.start(name: "fleet-folder") {
                    continuation.resume(returning: Result { () throws(FleetError) in try body() })
                }
            } catch {
                continuation.resume(returning: .failure(FleetError(.folder, error.message)))
            }
        }
        return try result.get()
    }
}
