import Host
public import Redis
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
        /// By the index of a server that was a master once.
        var formerShards: [Int: Int] = [:]
        /// Of a proxied fleet: before each server, for its replicas and, in a cluster, its clients.
        var fronts: [WireProxy] = []
        /// Of a proxied single master: before whichever server is master, for clients.
        var door: WireProxy?
        var stopped = false

        func closeWires() {
            for front in fronts { front.close() }
            door?.close()
        }
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
        contents.withLock { contents in
            contents.closeWires()
            FleetPorts.release(contents.ports)
        }
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

    /// `redis://` address for clients: of a proxied single master for good; else of a master that runs now, the first if none
    /// does.
    public var url: String {
        let contents = contents.withLock { $0 }
        let masters = contents.shards.map { contents.servers[$0.master] }
        let server = masters.first(where: \.isRunning) ?? masters[0]
        return Self.url(server, at: contents.door?.address ?? contents.clientAddress(of: server))
    }

    /// `redis://` address of one server for clients.
    public func url(of index: Int) -> String {
        let contents = contents.withLock { $0 }
        return Self.url(contents.servers[index], at: contents.clientAddress(of: contents.servers[index]))
    }

    private static func url(_ server: FleetServer, at address: RedisAddress) -> String {
        "redis://\(server.password.map { ":\($0)@" } ?? "")\(address)"
    }

    /// The server that clients reach at an address now; `nil` for a stranger's.
    public func index(at address: RedisAddress) -> Int? {
        let contents = contents.withLock { $0 }
        if let door = contents.door, door.address == address { return contents.shards[0].master }
        return contents.servers.firstIndex { contents.clientAddress(of: $0) == address }
    }

    /// Whether clients that are connected find a promoted replica.
    public var clientsFollowPromotions: Bool { isCluster || configuration.isProxied }

    /// Absolute path of the folder that holds the servers.
    public var folderPath: String { folder.path }

    /// Version of its redis-server, such as `7.0.15`.
    public var version: String { binary.version }

    /// The servers: masters first, then their replicas, then added ones.
    public var nodes: [Node] {
        let contents = contents.withLock { $0 }
        return contents.servers.map { server in
            Node(
                index: server.index, role: contents.role(of: server.index), address: server.address,
                clientAddress: contents.clientAddress(of: server), pid: server.pid, isUp: server.isRunning)
        }
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
        let server = try makeServer(inCluster: false, replicaOf: nil, extraLines: extraLines)
        try await server.start()
        return nodes[server.index]
    }

    /// Another server, not started.
    ///
    /// - Parameter inCluster: whether it will be a member of a cluster, of which it knows nobody yet.
    func makeServer(
        inCluster: Bool, replicaOf master: RedisAddress?, extraLines: [String]
    ) throws(FleetError) -> FleetServer {
        guard !contents.withLock({ $0.stopped }) else { throw FleetError(.misuse, "the fleet was stopped") }
        let ports = try FleetPorts.reserve(inCluster ? 2 : 1)
        let front =
            configuration.isProxied ? try WireProxy(to: RedisAddress(host: "127.0.0.1", port: ports[0])) : nil
        let member =
            inCluster
            ? ServerConfiguration.members(
                masters: 0, replicas: 0, ports: [front?.address.port ?? ports[0]], busPorts: [ports[1]]) : []
        return try contents.withLock { contents throws(FleetError) in
            let index = contents.servers.count
            let server = FleetServer(
                index: index,
                configuration: .init(
                    port: ports[0], cluster: inCluster ? (member, 0) : nil, options: configuration.options,
                    extraLines: extraLines),
                replicaOf: master, binary: binary, folder: try folder.makeNodeFolder(index),
                outlivesOwner: configuration.keepFolder != nil)
            contents.servers.append(server)
            contents.ports += ports
            if let front { contents.fronts.append(front) }
            return server
        }
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
            contents.closeWires()
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
                    contents.closeWires()
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
        let told = try startWires(before: ports[..<count])
        let members =
            isCluster
            ? ServerConfiguration.members(
                masters: masters, replicas: replicas, ports: told, busPorts: Array(ports[count...])) : []
        var servers: [FleetServer] = []
        for index in 0..<count {
            servers.append(
                FleetServer(
                    index: index,
                    configuration: .init(
                        port: ports[index], cluster: isCluster ? (members, index) : nil, options: configuration.options,
                        extraLines: configuration.extraLines),
                    replicaOf: isCluster || index < masters ? nil : RedisAddress(host: "127.0.0.1", port: told[0]),
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
        try await Self.onEach(servers[...]) { server throws(FleetError) in try await server.waitUntilItServes() }
        for shard in 0..<masters { try await waitForReplicas(ofShard: shard) }
    }

    /// Puts proxies before the servers, if the fleet is to have them. Returns the ports at which others find them.
    private func startWires(before ports: ArraySlice<Int>) throws(FleetError) -> [Int] {
        guard configuration.isProxied else { return Array(ports) }
        for port in ports {
            let front = try WireProxy(to: RedisAddress(host: "127.0.0.1", port: port))
            contents.withLock { $0.fronts.append(front) }
        }
        if configuration.masters == 1 {
            let door = try WireProxy(to: RedisAddress(host: "127.0.0.1", port: ports[ports.startIndex]))
            contents.withLock { $0.door = door }
        }
        return contents.withLock { $0.fronts }.map(\.address.port)
    }

    /// Runs `body` for all servers at once; the first error, after all ended.
    static func onEach(
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

extension EmbeddedFleet.Contents {
    func role(of index: Int) -> EmbeddedFleet.Role {
        for (number, shard) in shards.enumerated() {
            if shard.master == index { return .master(shard: number) }
            if shard.replicas.contains(index) { return .replica(shard: number) }
        }
        return .outside
    }

    /// Where clients are told to find a server.
    func clientAddress(of server: FleetServer) -> RedisAddress {
        fronts.isEmpty || door != nil ? server.address : fronts[server.index].address
    }

    /// Where replicas find a server.
    func replicationAddress(of server: FleetServer) -> RedisAddress {
        fronts.isEmpty ? server.address : fronts[server.index].address
    }
}
