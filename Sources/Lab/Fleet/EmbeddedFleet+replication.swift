import Redis
import Synchronization

/// Who copies whom, and how that changes. Acts return once the servers say that it is so.
extension EmbeddedFleet {
    /// The index of a shard's master, 0 …< masters.
    public func master(ofShard shard: Int = 0) -> Int { contents.withLock { $0.shards[shard].master } }

    /// The indexes of a shard's replicas.
    public func replicas(ofShard shard: Int = 0) -> [Int] { contents.withLock { $0.shards[shard].replicas } }

    /// The shard that serves a key's slot.
    public func shard(ofSlot slot: Int) -> Int {
        // As the slots were dealt out; none ever moves to another shard.
        (0..<configuration.masters).last { ServerConfiguration.slotCount * $0 / configuration.masters <= slot } ?? 0
    }

    /// Makes a replica the master of its shard, whatever its master does meanwhile: writes that had not reached it are lost.
    ///
    /// The former master is told nothing and becomes `.outside`: `rejoin` brings it back. (In a cluster it hears of the promotion
    /// and follows by itself, once it can.) Clients: a proxied single master's connections are cut and lead to the new one, and
    /// other replicas follow it; in a cluster clients are sent there by MOVED; an unproxied single master's clients have to
    /// read `url` again.
    public func promote(_ index: Int) async throws(FleetError) {
        guard case .replica(let shard) = nodes[try server(index).index].role else {
            throw FleetError(.misuse, "node \(index) is no replica; only a replica can be promoted")
        }
        let server = try server(index)
        if isCluster {
            _ = try await server.tell("CLUSTER", "FAILOVER", "TAKEOVER")
            try await server.waitUntilItLeads()
        } else {
            server.willReplicate(nil)
            _ = try await server.tell("REPLICAOF", "NO", "ONE")
        }
        let others = contents.withLock { contents in
            contents.shards[shard].replicas.removeAll { $0 == index }
            contents.formerShards[contents.shards[shard].master] = shard
            contents.shards[shard].master = index
            return contents.shards[shard].replicas.map { contents.servers[$0] }
        }
        guard !isCluster else { return }
        contents.withLock { $0.door }?.retarget(to: server.address)
        for other in others { try await follow(other, server) }
    }

    /// The running replica of a shard that has most of what its master wrote, as it says itself; `nil` if none answers. It has
    /// every write that any replica acknowledged and that no replica lost since.
    public func foremostReplica(ofShard shard: Int = 0) async -> Int? {
        var best: (index: Int, offset: Int)?
        for index in replicas(ofShard: shard) where nodes[index].isUp {
            guard let text = try? await fact("slave_repl_offset", "replication", of: index), let offset = Int(text)
            else { continue }
            if offset > best?.offset ?? -1 { best = (index, offset) }
        }
        return best?.index
    }

    /// Brings a server that is no member now, such as a former master, into a shard as a replica of its master. It loses what only
    /// it had. Returns once it has its copy; a server that is down follows from its restart on.
    ///
    /// - Parameter shard: `nil`: the one whose master it was.
    public func rejoin(_ index: Int, shard: Int? = nil) async throws(FleetError) {
        let server = try server(index)
        guard nodes[index].role == .outside else { throw FleetError(.misuse, "node \(index) is a member already") }
        guard let shard = shard ?? contents.withLock({ $0.formerShards[index] }) ?? (isCluster ? nil : 0) else {
            throw FleetError(.misuse, "node \(index) was no shard's master; name the shard that it is to join")
        }
        let master = try self.server(master(ofShard: shard))
        if !isCluster { try await follow(server, master) }
        contents.withLock { $0.shards[shard].replicas.append(index) }
        if server.isRunning { try await server.waitUntilItFollows(replicationAddress(of: master)) }
    }

    /// Tells every replica of a shard whom it follows, as one has to whose promotion broke off half way. In a cluster they know.
    public func alignReplicas(ofShard shard: Int = 0) async throws(FleetError) {
        guard !isCluster else { return }
        let master = try server(master(ofShard: shard))
        for index in replicas(ofShard: shard) { try await follow(try server(index), master) }
    }

    /// Adds a replica to a shard. Of a master that never had one, or had none for an hour, this changes the lineage
    /// (`master_replid`), and nothing is lost. Returns once the replica has its copy.
    public func attachReplica(shard: Int = 0) async throws(FleetError) -> Node {
        let master = try server(master(ofShard: shard))
        let address = replicationAddress(of: master)
        let server = try makeServer(
            inCluster: isCluster, replicaOf: isCluster ? nil : address, extraLines: configuration.extraLines)
        try await server.start()
        if isCluster { try await introduce(server, to: master) }
        try await server.waitUntilItFollows(address)
        contents.withLock { $0.shards[shard].replicas.append(server.index) }
        return nodes[server.index]
    }

    /// Takes a replica away for good: its process is killed.
    ///
    /// - Parameter lineageChangesAfter: how many seconds after the last replica left its master takes a new lineage; the server's
    ///   own time is an hour. `nil` leaves that.
    public func detachReplica(_ index: Int, lineageChangesAfter seconds: Int? = nil) async throws(FleetError) {
        guard case .replica(let shard) = nodes[try server(index).index].role else {
            throw FleetError(.misuse, "node \(index) is no replica")
        }
        if let seconds {
            _ = try await server(master(ofShard: shard)).tell("CONFIG", "SET", "repl-backlog-ttl", String(seconds))
        }
        contents.withLock { $0.shards[shard].replicas.removeAll { $0 == index } }
        await (try server(index)).kill()
    }

    /// Waits until every running replica of a shard has its copy and hears its master.
    public func waitForReplicas(ofShard shard: Int = 0) async throws(FleetError) {
        let master = replicationAddress(of: try server(master(ofShard: shard)))
        for index in replicas(ofShard: shard) {
            let replica = try server(index)
            if replica.isRunning { try await replica.waitUntilItFollows(master) }
        }
    }

    /// Learns who is master now where a cluster promotes by itself (`ServerOptions.failsOver`).
    public func refreshRoles() async throws(FleetError) {
        guard isCluster else { return }
        let servers = contents.withLock { $0.servers }
        for server in servers where server.isRunning {
            guard let text = try? await server.tell("CLUSTER", "NODES", within: .seconds(1)).string else { continue }
            contents.withLock { contents in
                for line in text.split(separator: "\n") { contents.note(clusterNode: line) }
            }
            return
        }
        throw FleetError(.timeout, "no server of the cluster tells its members")
    }

    /// The master of a server's data: `master_replid`, as it says itself.
    public func lineage(of index: Int) async throws(FleetError) -> String {
        try await fact("master_replid", "replication", of: index)
    }

    /// One line of a server's INFO; empty where it has none.
    func fact(_ name: String, _ section: String, of index: Int) async throws(FleetError) -> String {
        let text = try await server(index).tell("INFO", section).string ?? ""
        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(name + ":") }
        return line.map { String($0.dropFirst(name.count + 1)) } ?? ""
    }

    // MARK: The replication link

    /// What happens on the wire between a replica and its master; clients are not touched. `.deadToClient` is how a replica
    /// falls behind: its master's stream vanishes, and both think that they are connected. (A stopped replica is no such test:
    /// the kernel delivers the tail to it later.) Needs a proxied fleet.
    public func setReplicationFaults(_ faults: WireFaults, of index: Int) throws(FleetError) {
        let server = try server(index)
        let fronts = contents.withLock { $0.fronts }
        guard !fronts.isEmpty else {
            throw FleetError(.misuse, "this fleet has no proxies; start it with isProxied to harm its wires")
        }
        // Whoever is or becomes its master.
        for front in fronts { front.setFaults(faults, for: .replica(port: server.address.port)) }
    }

    /// The wire on which clients reach a shard's present master. In a cluster its replicas' links lie on it as well: set faults
    /// for `.clients`. Needs a proxied fleet.
    public func clientWire(ofShard shard: Int = 0) throws(FleetError) -> WireProxy {
        let contents = contents.withLock { $0 }
        if let door = contents.door { return door }
        guard !contents.fronts.isEmpty else {
            throw FleetError(.misuse, "this fleet has no proxies; start it with isProxied to harm its wires")
        }
        return contents.fronts[contents.shards[shard].master]
    }

    /// Lifts all faults of all wires.
    public func healWires() {
        let (fronts, door) = contents.withLock { ($0.fronts, $0.door) }
        for front in fronts { front.heal() }
        door?.heal()
    }

    // MARK: Parts

    var isCluster: Bool { configuration.masters > 1 }

    private func replicationAddress(of server: FleetServer) -> RedisAddress {
        contents.withLock { $0.replicationAddress(of: server) }
    }

    private func follow(_ server: FleetServer, _ master: FleetServer) async throws(FleetError) {
        let address = replicationAddress(of: master)
        server.willReplicate(address)
        if server.isRunning { _ = try await server.tell("REPLICAOF", address.host, String(address.port)) }
    }

    /// Makes a new member known to a cluster, and a replica of `master`.
    private func introduce(_ server: FleetServer, to master: FleetServer) async throws(FleetError) {
        guard let (members, own) = server.configuration.cluster,
            let id = try await master.tell("CLUSTER", "MYID").string
        else { throw FleetError(.misuse, "\(master.address) is no member of a cluster") }
        let member = members[own]
        _ = try await master.tell("CLUSTER", "MEET", "127.0.0.1", String(member.port), String(member.busPort))
        try await server.waitUntilItKnows(id)
        _ = try await server.tell("CLUSTER", "REPLICATE", id)
        // It hears who serves which slots after it was introduced; before, it could not take any over.
        try await server.waitUntilItServes()
    }
}

extension EmbeddedFleet.Contents {
    /// A line of CLUSTER NODES: `id host:port@bus flags master …`, with slots at the end for a master.
    fileprivate mutating func note(clusterNode line: Substring) {
        let words = line.split(separator: " ")
        guard words.count >= 8, let port = words[1].split(separator: "@")[0].split(separator: ":").last,
            let index = servers.firstIndex(where: { "\(clientAddress(of: $0).port)" == port })
        else { return }
        let flags = words[2].split(separator: ",")
        guard flags.contains("master"), words.count > 8, let first = words[8].split(separator: "-").first,
            let slot = Int(first)
        else { return }
        let count = shards.count
        guard let shard = (0..<count).last(where: { ServerConfiguration.slotCount * $0 / count <= slot }),
            shards[shard].master != index
        else { return }
        // The former master follows by itself.
        shards[shard].replicas.removeAll { $0 == index }
        shards[shard].replicas.append(shards[shard].master)
        shards[shard].master = index
    }
}
