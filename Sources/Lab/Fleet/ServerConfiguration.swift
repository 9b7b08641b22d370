/// What redis-server reads: `redis.conf`, and for a member of a cluster `nodes.conf`.
struct ServerConfiguration: Sendable {
    /// A member of a cluster, as all members know it from the start.
    struct Member: Sendable {
        /// 40 hexadecimal digits.
        let id: String
        /// Where clients and replicas are told to find it.
        let port: Int
        let busPort: Int
        /// What it serves; `nil` for a replica.
        let slots: ClosedRange<Int>?
        /// The id of the master that it copies; `nil` for a master.
        let master: String?
        let epoch: Int
    }

    static let slotCount = 16384

    /// Where it listens.
    let port: Int
    /// All members of the cluster and the position of this one; `nil` outside a cluster.
    let cluster: (members: [Member], own: Int)?
    let options: ServerOptions
    let extraLines: [String]

    /// Paths are relative: the server runs in its own folder.
    ///
    /// - Parameter master: whom it copies from the start; not for a member of a cluster, which `nodes.conf` tells.
    func redisConf(replicaOf master: (host: String, port: Int)?) -> String {
        var lines = [
            "port \(port)",
            "bind 127.0.0.1",
            "protected-mode yes",
            "daemonize no",
            "save \"\"",
            "maxmemory-policy noeviction",
            "hash-max-listpack-entries 128",
            // A replica gets its first copy at once; one that was away for a while catches up without a new one.
            "repl-diskless-sync yes",
            "repl-diskless-sync-delay 0",
            "repl-backlog-size 32mb",
        ]
        lines += options.lines
        if let cluster {
            let own = cluster.members[cluster.own]
            lines += [
                "cluster-enabled yes",
                "cluster-config-file nodes.conf",
                "cluster-port \(own.busPort)",
                "cluster-announce-port \(own.port)",
                "cluster-announce-bus-port \(own.busPort)",
                "cluster-node-timeout 2000",
                // One dead master shall not silence the living.
                "cluster-require-full-coverage no",
                // A replica stays with its master, and takes over only if that was asked for.
                "cluster-allow-replica-migration no",
                "cluster-replica-no-failover \(options.failsOver ? "no" : "yes")",
            ]
        }
        if let master { lines.append("replicaof \(master.host) \(master.port)") }
        return (lines + extraLines).joined(separator: "\n") + "\n"
    }

    /// The cluster as it is once formed: written beforehand, it spares the members all introductions.
    var nodesConf: String? {
        guard let cluster else { return nil }
        var lines = cluster.members.enumerated().map { index, member in
            let flags = (index == cluster.own ? "myself," : "") + (member.master == nil ? "master" : "slave")
            let slots = member.slots.map { " \($0.lowerBound)-\($0.upperBound)" } ?? ""
            return "\(member.id) 127.0.0.1:\(member.port)@\(member.busPort) \(flags) \(member.master ?? "-") 0 0 "
                + "\(member.epoch) connected\(slots)"
        }
        lines.append("vars currentEpoch \(cluster.members.count) lastVoteEpoch 0")
        return lines.joined(separator: "\n") + "\n"
    }

    /// Members of a cluster: `masters` of them with slots dealt out evenly in order, then `replicas` of the first master, of
    /// the second, …
    ///
    /// - Parameters:
    ///   - masters: 0 for members that know nobody, and serve nothing, yet.
    ///   - ports: where each is to be found, as many as there are members.
    static func members(masters: Int, replicas: Int, ports: [Int], busPorts: [Int]) -> [Member] {
        let ids = ports.map { _ in (0..<40).map { _ in String(Int.random(in: 0..<16), radix: 16) }.joined() }
        return ports.indices.map { index in
            let master = masters == 0 || index < masters ? nil : (index - masters) / replicas
            let slots =
                index < masters ? slotCount * index / masters...slotCount * (index + 1) / masters - 1 : nil
            return Member(
                id: ids[index], port: ports[index], busPort: busPorts[index], slots: slots,
                master: master.map { ids[$0] }, epoch: (master ?? index) + 1)
        }
    }
}
