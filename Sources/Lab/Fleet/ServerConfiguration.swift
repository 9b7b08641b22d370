/// What redis-server reads: `redis.conf`, and for a member of a cluster `nodes.conf`.
struct ServerConfiguration: Sendable {
    /// A member of a cluster, as all members know it from the start.
    struct Member: Sendable {
        /// 40 hexadecimal digits.
        let id: String
        let port: Int
        let busPort: Int
        let slots: ClosedRange<Int>
        let epoch: Int
    }

    static let slotCount = 16384

    let port: Int
    /// All members of the cluster and the position of this one; `nil` outside a cluster.
    let cluster: (members: [Member], own: Int)?
    let extraLines: [String]

    /// Paths are relative: the server runs in its own folder.
    var redisConf: String {
        var lines = [
            "port \(port)",
            "bind 127.0.0.1",
            "protected-mode yes",
            "daemonize no",
            "save \"\"",
            "appendonly no",
            "maxmemory-policy noeviction",
            "hash-max-listpack-entries 128",
        ]
        if let cluster {
            lines += [
                "cluster-enabled yes",
                "cluster-config-file nodes.conf",
                "cluster-port \(cluster.members[cluster.own].busPort)",
                "cluster-node-timeout 2000",
                // One dead master shall not silence the living.
                "cluster-require-full-coverage no",
            ]
        }
        return (lines + extraLines).joined(separator: "\n") + "\n"
    }

    /// The cluster as it is once formed: written beforehand, it spares the members all introductions.
    var nodesConf: String? {
        guard let cluster else { return nil }
        var lines = cluster.members.enumerated().map { index, member in
            let flags = index == cluster.own ? "myself,master" : "master"
            return "\(member.id) 127.0.0.1:\(member.port)@\(member.busPort) \(flags) - 0 0 \(member.epoch) connected "
                + "\(member.slots.lowerBound)-\(member.slots.upperBound)"
        }
        lines.append("vars currentEpoch \(cluster.members.count) lastVoteEpoch 0")
        return lines.joined(separator: "\n") + "\n"
    }

    /// Members for `ports`, slots dealt out evenly in order.
    static func members(ports: [Int], busPorts: [Int]) -> [Member] {
        ports.indices.map { index in
            let first = slotCount * index / ports.count
            let last = slotCount * (index + 1) / ports.count - 1
            let id = (0..<40).map { _ in String(Int.random(in: 0..<16), radix: 16) }.joined()
            return Member(
                id: id, port: ports[index], busPort: busPorts[index], slots: first...last, epoch: index + 1)
        }
    }
}
