import Inventory
public import Redis

/// Looks for SKUs among all keys of all masters, at a pace, and remembers what it found: one walk of SCAN after another.
///
/// A value: it says what to ask next and takes the answer.
struct ForeignScan {
    /// SKUs that are watched at most.
    static let skusMax = 1_000_000

    /// One SKU, where its keys lie.
    struct Row: Sendable {
        let sku: String
        let tag: String?
        let stockKey: [UInt8]
        let slot: Int
        let ledger: (key: [UInt8], slot: Int)?
    }

    private(set) var rows: [Row] = []
    private var known: Set<[UInt8]> = []
    /// Keys that this walk has looked at, about: SCAN looks at what COUNT says.
    private(set) var looked = 0
    /// Of all masters together; `nil`: nobody tells.
    private(set) var total: Int?
    private(set) var walks = 0
    /// SKUs beyond `skusMax` were left out.
    private(set) var isFull = false

    private let keys: ForeignKeys
    private let pattern: [UInt8]
    private var cursors: [(address: RedisAddress, cursor: String)] = []
    private var turn = 0

    init(_ keys: ForeignKeys) {
        self.keys = keys
        pattern = keys.stock.pattern
    }

    /// A walk is under way.
    var isWalking: Bool { !cursors.isEmpty }

    mutating func begin(_ masters: [RedisAddress], total: Int?) {
        cursors = masters.map { ($0, "0") }
        self.total = total
        looked = 0
        turn = 0
    }

    /// Whom to ask next, masters in turn; `nil` where the walk is over.
    func next(count: Int) -> (address: RedisAddress, command: RedisCommand)? {
        guard !cursors.isEmpty else { return nil }
        let (address, cursor) = cursors[turn % cursors.count]
        var command = RedisCommand("SCAN", cursor, "MATCH")
        command.append(pattern)
        command.append("COUNT")
        command.append(count)
        command.append("TYPE")
        command.append("string")
        return (address, command)
    }

    /// What the last one who was asked answered.
    /// - Returns: whether the walk is over.
    mutating func take(_ reply: RedisReply, count: Int) -> Bool {
        guard !cursors.isEmpty else { return true }
        let index = turn % cursors.count
        looked += count
        if let total { looked = min(looked, total) }
        guard let parts = reply.array, parts.count == 2, let cursor = parts[0].string else {
            skip()
            return !isWalking
        }
        for key in parts[1].array ?? [] { if let bytes = key.bytes { note(bytes) } }
        if cursor == "0" {
            cursors.remove(at: index)
            if cursors.isEmpty {
                walks += 1
                return true
            }
        } else {
            cursors[index].cursor = cursor
            turn += 1
        }
        return false
    }

    /// The one who was asked does not answer: the others first.
    mutating func pass() { turn += 1 }

    /// The one who was asked is no master any more: its keys are elsewhere, and the next walk finds them.
    mutating func skip() {
        guard !cursors.isEmpty else { return }
        cursors.remove(at: turn % cursors.count)
        if cursors.isEmpty { walks += 1 }
    }

    private mutating func note(_ key: [UInt8]) {
        guard let reading = keys.stock.read(key) else { return }
        guard rows.count < Self.skusMax else {
            isFull = true
            return
        }
        guard known.insert(key).inserted else { return }
        let ledger = keys.ledger.map { template in
            let key = template.key(reading)
            return (key: key, slot: HashSlot.of(key))
        }
        rows.append(
            Row(
                sku: reading.sku, tag: reading.tag, stockKey: key, slot: HashSlot.of(key), ledger: ledger))
    }

    /// How far it has come, in one line.
    func sentence(pace: ScanPace) -> String {
        let found = "\(rows.count.counted("SKU")) found"
        guard isWalking else { return found }
        guard let total, total > 0 else { return "\(found), \(looked) keys looked at" }
        let left = pace.seconds(for: max(0, total - looked))
        return
            "\(found), \(looked) of \(total) keys looked at (\(looked * 100 / total) %), \(Int(left.rounded(.up))) s to go"
    }
}

extension ForeignKeys {
    /// Keys as many sales have them, most telling first.
    static let usual: [(stock: String, ledger: String?)] = [
        ("ss_{tag}_sku", "sx_{tag}_sku"), ("ss_{tag}sku", "sx_{tag}sku"), ("ss_{sku}", "sx_{sku}"),
        ("stock:{sku}", "ledger:{sku}"),
        ("stock:sku", "ledger:sku"), ("stock_sku", nil), ("inventory:sku", nil), ("product:stock:sku", nil),
        ("seckill:stock:sku", nil),
        ("sku:stock:sku", nil),
    ]

    /// The usual keys that most of these are made as; `nil` where hardly one is.
    public static func guess(among keys: [[UInt8]]) -> ForeignKeys? {
        var best: (keys: ForeignKeys, count: Int)?
        for (stock, ledger) in usual {
            guard let stock = try? KeyTemplate(stock) else { continue }
            let count = keys.count { stock.read($0) != nil }
            guard count > 0, count > best?.count ?? 0 else { continue }
            var template = ledger.flatMap { try? KeyTemplate($0) }
            if let some = template, !keys.contains(where: { some.read($0) != nil }) { template = nil }
            if let found = try? ForeignKeys(stock: stock, ledger: template) { best = (found, count) }
        }
        return best?.keys
    }

    /// Keys that are looked at for a guess, on each master.
    static let guessKeysMax = 2_000

    /// Looks at a few keys of every master, and guesses how stock and ledgers are named.
    public static func guess(on cluster: RedisCluster) async throws(RedisError) -> ForeignKeys? {
        guess(among: try await sample(on: cluster))
    }

    /// A few keys of every master.
    static func sample(on cluster: RedisCluster) async throws(RedisError) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        for master in cluster.masters {
            var cursor = "0"
            for _ in 0..<(guessKeysMax / 100) {
                let reply = try await cluster.call(
                    at: master, RedisCommand("SCAN", cursor, "COUNT", "100"), deadline: .now + .seconds(2))
                guard let parts = reply.array, parts.count == 2, let next = parts[0].string else { break }
                keys += (parts[1].array ?? []).compactMap(\.bytes)
                cursor = next
                if next == "0" { break }
            }
        }
        return keys
    }
}
