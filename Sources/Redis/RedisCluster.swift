import Host
import Synchronization

/// A Redis Cluster, or a single server that holds every slot: routes commands by slot and follows the slots.
///
/// One connection and thread a master; a node that dies disturbs only its own slots.
public final class RedisCluster: Sendable {
    struct Topology {
        /// Connections by address. Sole owner of them.
        var connections: [RedisAddress: RedisConnection] = [:]
        /// Those on which WAIT is sent: it holds up whatever comes behind it.
        var waitingConnections: [RedisAddress: RedisConnection] = [:]
        /// Per slot, its master's connection; `nil` where no master is known.
        var owners: [RedisConnection?] = Array(repeating: nil, count: HashSlot.count) {
            didSet { knownMasters = nil }
        }
        var closed = false
        private var knownMasters: [RedisConnection]?

        /// The distinct owners, in the order of their slots. Found once for each change of an owner: whoever watches asks for
        /// them several times a second, and there are 16,384 slots.
        var masters: [RedisConnection] {
            mutating get {
                if let knownMasters { return knownMasters }
                var seen: Set<RedisAddress> = []
                let found = owners.compactMap { $0 }.filter { seen.insert($0.address).inserted }
                knownMasters = found
                return found
            }
        }
    }

    /// Whether the servers form a Redis Cluster.
    public let isCluster: Bool
    /// The address that was given.
    public let url: RedisURL
    let options: RedisOptions
    let topology = Mutex(Topology())
    let watcher: TopologyWatcher

    init(url: RedisURL, options: RedisOptions, isCluster: Bool) throws(RedisError) {
        self.url = url
        self.options = options
        self.isCluster = isCluster
        do { watcher = try TopologyWatcher() } catch { throw RedisError(.notSent, .other, error.message) }
    }

    deinit { close() }

    /// Connects to the server of `url` and learns what it is and which master holds which slot.
    ///
    /// - Throws: one line: nothing listens there, it wants a password, it is not Redis, it is older than 7.0, or no node
    ///   tells the slots.
    public static func connect(
        to url: RedisURL, options: RedisOptions = RedisOptions()
    ) async throws(RedisError) -> RedisCluster {
        var seedOptions = options
        seedOptions.waitsWhileDown = false
        let seed = try RedisConnection(url: url, options: seedOptions, onStateChange: { _ in })
        defer { seed.close() }
        let deadline = ContinuousClock.now + options.connectTimeout * 2
        let facts = try await ServerFacts.of(seed, deadline: deadline)
        try facts.requireVersion(at: url.address, majorMin: options.majorVersionMin)

        let cluster = try RedisCluster(url: url, options: options, isCluster: facts.isCluster)
        var map = SlotMap.single(url.address)
        if facts.isCluster {
            let reply: RedisReply
            do { reply = try await seed.call(RedisCommand("CLUSTER", "SLOTS"), deadline: deadline) } catch {
                guard let rule = error.missingRule else { throw error }
                throw RedisError(
                    .refused, .noPermission,
                    "\(url.address) is a cluster node and does not tell its slots: allow \(rule)",
                    serverText: error.serverText)
            }
            guard let told = SlotMap(reply: reply, asked: url.address), !told.assignments.isEmpty else {
                throw RedisError(
                    .refused, .clusterDown,
                    "\(url.address) is a cluster node that knows no slots; is the cluster formed?")
            }
            map = told
        }
        try cluster.adopt(map)
        try cluster.startWatching()
        return cluster
    }

    /// Ends all connections: what waits is `notSent`, what was sent is `unknown`. Idempotent.
    public func close() {
        let connections = topology.withLock { topology in
            topology.closed = true
            return Array(topology.connections.values) + Array(topology.waitingConnections.values)
        }
        for connection in connections { connection.close() }
        watcher.close()
    }

    // MARK: Commands

    /// Sends a command to the master of `slot` (0 …< 16384; any slot on a single server).
    ///
    /// MOVED and ASK are followed, as the command was not executed; CLUSTERDOWN, TRYAGAIN and LOADING are refused with that
    /// kind, and the slot map is read again meanwhile. For the completion's thread see `RedisConnection.send`.
    public func send(
        slot: Int, command: RedisCommand, deadline: ContinuousClock.Instant, completion: @escaping Completion
    ) {
        dispatch(
            Attempt(slot: slot, command: command, deadline: deadline, completion: completion), to: nil, asking: false,
            redirects: 0)
    }

    /// Sends a command to every master of the slot map; answers in the order of their slots.
    public func onEachMaster(
        _ command: RedisCommand, deadline: ContinuousClock.Instant
    ) async -> [(address: RedisAddress, result: Result<RedisReply, RedisError>)] {
        let masters = masterConnections()
        return await withTaskGroup(of: (Int, Result<RedisReply, RedisError>).self) { group in
            for (index, master) in masters.enumerated() {
                group.addTask {
                    (index, await master.answer(to: command, deadline: deadline))
                }
            }
            var results = [Result<RedisReply, RedisError>?](repeating: nil, count: masters.count)
            for await (index, result) in group { results[index] = result }
            return zip(masters, results).map { ($0.address, $1!) }
        }
    }

    /// The address of the master of a slot; `nil` when none is known.
    public func master(ofSlot slot: Int) -> RedisAddress? {
        topology.withLock { $0.owners[slot]?.address }
    }

    // MARK: Routing

    struct Attempt: Sendable {
        let slot: Int
        let command: RedisCommand
        let deadline: ContinuousClock.Instant
        /// WAIT, to go right behind the command, and who hears both.
        var wait: Wait?
        let completion: Completion
    }

    struct Wait: Sendable {
        let command: RedisCommand
        let completion: @Sendable (ReplicatedReply) -> Void
    }

    func dispatch(_ attempt: Attempt, to address: RedisAddress?, asking: Bool, redirects: Int) {
        precondition((0..<HashSlot.count).contains(attempt.slot), "a slot is 0 ..< 16384")
        let connection: RedisConnection?
        do throws(RedisError) {
            connection = if let address { try self.connection(to: address) } else { owner(ofSlot: attempt.slot) }
        } catch {
            return attempt.completion(.failure(error))
        }
        guard let connection else {
            watcher.request()
            return attempt.completion(
                .failure(RedisError(.notSent, .slotUncovered, "no node is known to serve slot \(attempt.slot)")))
        }
        if attempt.wait != nil { return dispatchWaiting(attempt, at: connection.address, asking, redirects) }
        connection.core.submit(
            .init(command: attempt.command, asking: asking, deadline: attempt.deadline) { [self] result in
                guard case .failure(let error) = result else { return attempt.completion(result) }
                failed(attempt, error, at: connection.address, redirects: redirects)
            })
    }

    func failed(_ attempt: Attempt, _ error: RedisError, at asked: RedisAddress, redirects: Int) {
        switch error.kind {
        case .moved, .ask:
            guard redirects < options.redirectsMax, let text = error.serverText,
                let target = Redirection(serverText: text, asked: asked)
            else { return attempt.completion(.failure(error)) }
            if error.kind == .moved {
                watcher.request()
                do throws(RedisError) { try moveSlot(target.slot, to: target.address) } catch {
                    return attempt.completion(.failure(error))
                }
            }
            dispatch(attempt, to: target.address, asking: error.kind == .ask, redirects: redirects + 1)
        case .closed where error.outcome == .notSent && redirects < options.redirectsMax && !isClosed:
            // The connection retired between routing and sending: its slots are elsewhere now.
            dispatch(attempt, to: nil, asking: false, redirects: redirects + 1)
        case .readOnly:
            reroute(slot: attempt.slot)
            attempt.completion(.failure(error))
        case .clusterDown, .tryAgain, .loading, .masterDown, .connectionLost, .deadline:
            watcher.request()
            attempt.completion(.failure(error))
        default: attempt.completion(.failure(error))
        }
    }

    private func owner(ofSlot slot: Int) -> RedisConnection? { topology.withLock { $0.owners[slot] } }

    private var isClosed: Bool { topology.withLock { $0.closed } }

    func masterConnections() -> [RedisConnection] {
        topology.withLock { $0.masters }
    }
}
