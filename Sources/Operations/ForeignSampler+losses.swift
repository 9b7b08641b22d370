import Inventory
import Redis
import Telemetry

/// What one server has evicted, and may.
struct LossWatch {
    private(set) var policy = "noeviction"
    private(set) var expiringKeys: Int64 = 0
    /// Keys evicted when it was first looked at, or when it began to count anew; and now.
    private var first: Int64?
    private var now: Int64 = 0

    /// Keys that it evicted since it was first looked at.
    var evicted: Int64 { now - (first ?? now) }

    mutating func take(_ facts: NodeFacts) {
        policy = facts.evictionPolicy
        expiringKeys = facts.expiringKeys
        first = min(first ?? facts.evictedKeys, facts.evictedKeys)
        now = facts.evictedKeys
    }
}

/// Which of the watched keys have a time to live. All are asked in turn, a few at a time, and only where a server says that any key expires.
struct ExpiryWatch {
    /// Keys asked in one look, each with one command.
    static let keysMax = 100

    /// Positions of SKUs whose stock or ledger expires, and in how many milliseconds by the last look.
    private(set) var expiring: [Int: Int64] = [:]
    private var next = 0

    /// The SKUs to ask now: those that were found before, some of them, and the next ones in turn.
    mutating func turn(count: Int, keysPerSKU: Int) -> [Int] {
        guard count > 0 else { return [] }
        let most = min(count, max(1, Self.keysMax / keysPerSKU))
        var asked = Array(expiring.keys.sorted().prefix(most / 2))
        let known = Set(asked)
        for _ in 0..<min(count, most - asked.count) {
            if next >= count { next = 0 }
            if !known.contains(next) { asked.append(next) }
            next += 1
        }
        return asked
    }

    /// - Parameter milliseconds: to live; `nil`: for ever.
    mutating func take(_ position: Int, milliseconds: Int64?) { expiring[position] = milliseconds }

    /// No server has a key that expires.
    mutating func clear() { expiring = [:] }
}

extension ForeignSampler {
    /// Looks whether watched keys expire.
    func readExpiry() async {
        guard !expiryIsUnreadable else { return }
        guard losses.values.contains(where: { $0.expiringKeys > 0 }) else { return expiry.clear() }
        let asked = expiry.turn(count: scan.rows.count, keysPerSKU: keys.ledger == nil ? 1 : 2)
        var commands: [(slot: Int, command: RedisCommand)] = []
        var owners: [Int] = []
        for position in asked {
            let row = scan.rows[position]
            var command = RedisCommand("PTTL")
            command.append(row.stockKey)
            commands.append((row.slot, command))
            owners.append(position)
            guard let ledger = row.ledger else { continue }
            command = RedisCommand("PTTL")
            command.append(ledger.key)
            commands.append((ledger.slot, command))
            owners.append(position)
        }
        var found: [Int: Int64] = [:]
        var answered: Set<Int> = []
        for (owner, answer) in zip(owners, await cluster.callAll(commands, deadline: .now + .seconds(1))) {
            switch answer {
            case .success(let reply):
                answered.insert(owner)
                if let left = reply.int, left >= 0 { found[owner] = min(found[owner] ?? .max, left) }
            case .failure(let error):
                guard let rule = error.missingRule else { continue }
                expiryIsUnreadable = true
                events.add(.warning, "whether keys expire cannot be seen: allow this user \(rule)")
                return
            }
        }
        for position in answered { expiry.take(position, milliseconds: found[position]) }
    }

    /// Stock that Redis drops by itself is gone with nobody having bought it.
    func lossAlerts() -> [AlertCondition] {
        var all: [AlertCondition] = []
        for node in snapshot.nodes {
            guard let loss = losses[node.address] else { continue }
            if loss.evicted > 0 {
                all.append(
                    AlertCondition(
                        kind: .evicted, subject: node.address, severity: .bad,
                        text: "EVICTED: \(node.address) has dropped \(loss.evicted.counted("key")) for lack of memory, "
                            + "stock may be among them: set its maxmemory-policy to noeviction"))
            }
            if loss.policy != "noeviction" {
                all.append(
                    AlertCondition(
                        kind: .promise, subject: node.address, severity: .warning,
                        text: "\(node.address) may evict the stock: its maxmemory-policy is \(loss.policy); set it to "
                            + "noeviction"))
            }
        }
        if let (position, left) = expiry.expiring.min(by: { ($0.value, $0.key) < ($1.value, $1.key) }),
            position < snapshot.skus.count
        {
            let others = expiry.expiring.count > 1 ? " and \((expiry.expiring.count - 1).counted("other"))" : ""
            all.append(
                AlertCondition(
                    kind: .evicted, subject: AlertCondition.Kind.expiringSubject, severity: .bad,
                    text: "TTL: a key of \(snapshot.skus[position].sku)\(others) expires, the first in "
                        + "\(Self.span(left)), and its stock with it: PERSIST it"))
        }
        return all
    }

    private static func span(_ milliseconds: Int64) -> String {
        switch milliseconds / 1_000 {
        case ..<120: "\(milliseconds / 1_000) s"
        case ..<7_200: "\(milliseconds / 60_000) min"
        default: "\(milliseconds / 3_600_000) h"
        }
    }
}
