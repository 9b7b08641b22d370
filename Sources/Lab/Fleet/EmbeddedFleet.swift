import Host
public import Redis
import Synchronization

/// A private Redis Cluster, or a single server, on free loopback ports in a private folder.
///
/// Nothing of it outlives this process, whatever ends the process, unless `keepFolder` is given: the kernel kills the servers
/// with the process, and the next start removes the folder. Holding a value of this type is what allows to inject faults.
public final class EmbeddedFleet: Sendable {
    public struct Configuration: Sendable {
        /// Masters of the cluster; 1 is a plain single server. 1 … 100. (With 2, one crash silences the other as well: it
        /// lacks a majority.)
        public var masters = 3
        /// Lines for every server's redis.conf, such as `appendonly yes`.
        public var extraLines: [String] = []
        /// Puts the fleet into this folder and leaves it running when this process ends.
        public var keepFolder: String?
        /// Told of every state, in order; must not block.
        public var onState: (@Sendable (State) -> Void)?

        public init(masters: Int = 3, extraLines: [String] = [], keepFolder: String? = nil) {
            self.masters = masters
            self.extraLines = extraLines
            self.keepFolder = keepFolder
        }
    }

    public enum State: Sendable, Equatable {
        /// The servers start.
        case starting
        /// They run and agree on their cluster.
        case forming
        /// Every slot is served.
        case serving
        case stopped
    }

    /// A server as it is now.
    public struct Node: Sendable, Equatable {
        /// Its number in this fleet, from 0.
        public let index: Int
        public let address: RedisAddress
        /// Its process; of a server that is down, the last one.
        public let pid: Int32
        public let isUp: Bool
    }

    /// Ports may be taken between the look and the use.
    private static let attemptsMax = 5
    private static let mastersMax = 100

    private struct Contents {
        var servers: [FleetServer] = []
        var ports: [Int] = []
        var stopped = false
    }

    private let configuration: Configuration
    private let binary: ServerBinary
    private let folder: FleetFolder
    private let contents = Mutex(Contents())

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
    /// that long), well below 0.2 s for a single server.
    ///
    /// - Throws: one line: no redis-server, too old, no free port, an unusable folder, a server that died with its last
    ///   log line. Nothing is left running then.
    public static func start(_ configuration: Configuration = Configuration()) async throws(FleetError) -> EmbeddedFleet
    {
        guard (1...mastersMax).contains(configuration.masters) else {
            throw FleetError(.misuse, "a fleet has 1 to \(mastersMax) masters, not \(configuration.masters)")
        }
        configuration.onState?(.starting)
        let binary = try await ServerBinary.find()
        let keepFolder = configuration.keepFolder
        let folder = try await offPool { () throws(FleetError) in
            if let keepFolder { try FleetFolder.take(keepFolder) } else { try FleetFolder.makeTemporary() }
        }
        let fleet = EmbeddedFleet(configuration: configuration, binary: binary, folder: folder)
        do throws(FleetError) {
            try await fleet.startMasters()
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

    /// The servers: masters first, then added ones.
    public var nodes: [Node] {
        contents.withLock { $0.servers }.map {
            Node(index: $0.index, address: $0.address, pid: $0.pid, isUp: $0.isRunning)
        }
    }

    // MARK: Faults

    /// Kills a server with SIGKILL and waits until it is gone.
    public func crash(_ index: Int) async throws(FleetError) {
        let server = try server(index)
        guard server.isRunning else { throw FleetError(.misuse, "\(server.address) is down already") }
        await server.kill()
    }

    /// Starts a server that is down again: the same port, node and slots, without data unless `extraLines` keep it. Returns
    /// once it serves; a cluster member does 2 s after its start.
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
                index: index, configuration: .init(port: port, cluster: nil, extraLines: extraLines), binary: binary,
                folder: try folder.makeNodeFolder(index), outlivesOwner: configuration.keepFolder != nil)
            contents.servers.append(server)
            contents.ports.append(port)
            return server
        }
        try await server.start()
        return Node(index: server.index, address: server.address, pid: server.pid, isUp: true)
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

    private func server(_ index: Int) throws(FleetError) -> FleetServer {
        try contents.withLock { contents throws(FleetError) in
            guard !contents.stopped else { throw FleetError(.misuse, "the fleet was stopped") }
            guard contents.servers.indices.contains(index) else {
                throw FleetError(.misuse, "there is no node \(index); the fleet has \(contents.servers.count)")
            }
            return contents.servers[index]
        }
    }

    private func startMasters() async throws(FleetError) {
        for attempt in 1... {
            do throws(FleetError) {
                try await startMastersOnce()
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

    private func startMastersOnce() async throws(FleetError) {
        let count = configuration.masters
        let isCluster = count > 1
        let ports = try FleetPorts.reserve(isCluster ? 2 * count : 1)
        contents.withLock { $0.ports = ports }
        let members =
            isCluster
            ? ServerConfiguration.members(ports: Array(ports[..<count]), busPorts: Array(ports[count...])) : []
        var servers: [FleetServer] = []
        for index in 0..<count {
            servers.append(
                FleetServer(
                    index: index,
                    configuration: .init(
                        port: ports[index], cluster: isCluster ? (members, index) : nil,
                        extraLines: configuration.extraLines),
                    binary: binary, folder: try folder.makeNodeFolder(index),
                    outlivesOwner: configuration.keepFolder != nil))
        }
        contents.withLock { [servers] in $0.servers = servers }
        try await Self.onEach(servers) { server throws(FleetError) in try await server.start() }
        guard isCluster else { return }
        configuration.onState?(.forming)
        try await Self.onEach(servers) { server throws(FleetError) in try await server.waitUntilItServes() }
    }

    /// Runs `body` for all servers at once; the first error, after all ended.
    private static func onEach(
        _ servers: [FleetServer], _ body: @escaping @Sendable (FleetServer) async throws(FleetError) -> Void
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
