import Redis

extension Command {
    static let keyCommands: [Command] = [
        .writing("del", -2) { data, argv throws(CommandError) in .integer(data.removeAll(argv)) },
        .writing("unlink", -2) { data, argv throws(CommandError) in .integer(data.removeAll(argv)) },
        .reading("exists", -2) { data, argv throws(CommandError) in
            .integer(argv.dropFirst().count { data.table.contains($0) })
        },
        .reading("type", 2) { data, argv throws(CommandError) in .status(data.table[argv[1]]?.typeName ?? "none") },
        // Nothing has a time to live.
        .reading("ttl", 2) { data, argv throws(CommandError) in .integer(data.table.contains(argv[1]) ? -1 : -2) },
        .reading("pttl", 2) { data, argv throws(CommandError) in .integer(data.table.contains(argv[1]) ? -1 : -2) },
        .reading("dbsize", 1) { data, argv throws(CommandError) in .integer(data.table.count) },
        .reading("keys", 2) { data, argv throws(CommandError) in
            .array(data.keys.filter { $0.matches(glob: argv[1]) }.map { .bulk($0) })
        },
        .reading("scan", -2) { data, argv throws(CommandError) in
            let page = try ScanPage(argv, optionsAt: 2, cursor: argv[1])
            let (next, names) = page.select(from: data.keys) { $0 }
            return .array([.bulk(next), .array(names.map { .bulk($0) })])
        },
        .writing("flushall", -1) { data, argv throws(CommandError) in try data.flush(argv) },
        .writing("flushdb", -1) { data, argv throws(CommandError) in try data.flush(argv) },
    ]
}

extension RedisData {
    fileprivate mutating func removeAll(_ argv: [[UInt8]]) -> Int {
        var count = 0
        for key in argv.dropFirst() where table.remove(key) { count += 1 }
        return count
    }

    fileprivate mutating func flush(_ argv: [[UInt8]]) throws(CommandError) -> RedisReply {
        guard argv.count == 1 || argv.count == 2 && (argv[1].isWord("sync") || argv[1].isWord("async")) else {
            throw .syntax
        }
        table = OrderedTable()
        return .ok
    }
}

/// One page of SCAN or HSCAN.
///
/// The cursor is a hash of the next name, and pages go through the names by their hashes: so what is there all the while is
/// listed at least once, whatever comes and goes between the pages. That is Redis's promise, though not its order.
struct ScanPage {
    private let cursor: UInt64
    private var count = 10
    private var glob: [UInt8]?

    init(_ argv: [[UInt8]], optionsAt start: Int, cursor: [UInt8]) throws(CommandError) {
        guard let number = StreamID.number(cursor) else { throw CommandError("ERR invalid cursor") }
        self.cursor = number
        var position = start
        while position < argv.count {
            guard position + 1 < argv.count else { throw .syntax }
            if argv[position].isWord("count") {
                guard let number = argv[position + 1].decimal else { throw .notAnInteger }
                guard number >= 1 else { throw .syntax }
                count = Int(number)
            } else if argv[position].isWord("match") {
                glob = argv[position + 1]
            } else {
                throw .syntax
            }
            position += 2
        }
    }

    /// Those of `items` that this page shows, and the cursor of the next page.
    func select<Item>(from items: [Item], _ name: (Item) -> [UInt8]) -> (next: String, items: [Item]) {
        var hashed: [(hash: UInt64, item: Item)] = []
        for item in items {
            let hash = Self.hash(name(item))
            if hash >= cursor { hashed.append((hash, item)) }
        }
        hashed.sort { $0.hash < $1.hash }
        var end = min(count, hashed.count)
        // Names of one hash share a page, as the cursor cannot tell them apart.
        while end > 0, end < hashed.count, hashed[end].hash == hashed[end - 1].hash { end += 1 }
        let next = end < hashed.count ? hashed[end].hash : 0
        return (String(next), filter(hashed[..<end].map(\.item), name))
    }

    /// Those of `items` whose names match.
    func filter<Item>(_ items: [Item], _ name: (Item) -> [UInt8]) -> [Item] {
        guard let glob else { return items }
        return items.filter { name($0).matches(glob: glob) }
    }

    /// FNV-1a (Fowler, Noll, Vo), never 0, which is the first cursor.
    private static func hash(_ name: [UInt8]) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return max(1, hash)
    }
}
