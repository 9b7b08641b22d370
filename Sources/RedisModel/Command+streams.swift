import Redis

extension Command {
    static let streamCommands: [Command] = [
        .growing("xadd", -5) { data, argv throws(CommandError) in try data.xadd(argv) },
        .reading("xlen", 2) { data, argv throws(CommandError) in .integer(try data.stream(argv[1])?.entries.count ?? 0)
        },
        .reading("xrange", -4) { data, argv throws(CommandError) in
            try data.xrange(argv, start: argv[2], end: argv[3], isReversed: false)
        },
        .reading("xrevrange", -4) { data, argv throws(CommandError) in
            try data.xrange(argv, start: argv[3], end: argv[2], isReversed: true)
        },
        .writing("xtrim", -4) { data, argv throws(CommandError) in
            let trimming = try StreamTrimming(argv, at: 2)
            guard trimming.end == argv.count else { throw .syntax }
            return .integer(try data.changeStream(argv[1]) { stream in trimming.apply(to: &stream) } ?? 0)
        },
        .writing("xdel", -3) { data, argv throws(CommandError) in
            guard try data.stream(argv[1]) != nil else { return .integer(0) }
            var ids: [StreamID] = []
            for word in argv[2...] {
                guard let id = StreamID(word, second: 0) else { throw .badStreamID }
                ids.append(id)
            }
            return .integer(try data.changeStream(argv[1]) { stream in ids.count { stream.delete($0) } } ?? 0)
        },
        .reading("xinfo", -2) { data, argv throws(CommandError) in try data.xinfo(argv) },
        .reading("xread", -4) { data, argv throws(CommandError) in try data.xread(argv) },
    ]
}

/// `MAXLEN|MINID [=|~] threshold [LIMIT n]`.
///
/// `~` lets Redis keep entries that share a node of its storage with one that stays. Here a stream is one node: it removes all
/// entries or none.
struct StreamTrimming {
    private enum Threshold {
        case count(Int)
        case id(StreamID)
    }

    private let threshold: Threshold
    let isCount: Bool
    private let isExact: Bool
    /// The position after the last word.
    let end: Int

    init(_ argv: [[UInt8]], at start: Int) throws(CommandError) {
        isCount = argv[start].isWord("maxlen")
        guard isCount || argv[start].isWord("minid"), start + 1 < argv.count else { throw .syntax }
        var position = start + 1
        var isExact = true
        if position + 1 < argv.count, argv[position] == [UInt8(ascii: "~")] || argv[position] == [UInt8(ascii: "=")] {
            isExact = argv[position] == [UInt8(ascii: "=")]
            position += 1
        }
        if isCount {
            guard let count = argv[position].decimal else { throw .notAnInteger }
            guard count >= 0 else { throw CommandError("ERR The MAXLEN argument must be >= 0.") }
            threshold = .count(Int(count))
        } else {
            guard let id = StreamID(argv[position], second: 0) else { throw .badStreamID }
            threshold = .id(id)
        }
        position += 1
        if position + 1 < argv.count, argv[position].isWord("limit") {
            guard let limit = argv[position + 1].decimal else { throw .notAnInteger }
            guard limit >= 0 else { throw CommandError("ERR The LIMIT argument must be >= 0.") }
            if isExact { throw CommandError("ERR syntax error, LIMIT cannot be used without the special ~ option") }
            position += 2
        }
        self.isExact = isExact
        end = position
    }

    /// Returns how many entries were removed.
    func apply(to stream: inout StreamValue) -> Int {
        switch threshold {
        case .count(let count): return isExact || count == 0 ? stream.trim(toCount: count) : 0
        case .id(let id): return isExact || stream.lastID < id ? stream.trim(below: id) : 0
        }
    }
}

extension RedisData {
    fileprivate mutating func xadd(_ argv: [[UInt8]]) throws(CommandError) -> RedisReply {
        var position = 2
        var makesStream = true
        var trimming: StreamTrimming?
        while position < argv.count {
            if argv[position].isWord("nomkstream") {
                makesStream = false
                position += 1
            } else if argv[position].isWord("maxlen") || argv[position].isWord("minid") {
                let read = try StreamTrimming(argv, at: position)
                position = read.end
                if let trimming, trimming.isCount != read.isCount {
                    throw CommandError(
                        "ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
                }
                trimming = read
            } else {
                break
            }
        }
        guard position < argv.count else { throw .argumentCount("xadd") }
        let wanted = try WantedID(argv[position])
        let fields = Array(argv[(position + 1)...])
        guard fields.count >= 2, fields.count % 2 == 0 else { throw .argumentCount("xadd") }
        if case .exactly(.zero) = wanted { throw CommandError("ERR The ID specified in XADD must be greater than 0-0") }
        if !table.contains(argv[1]) {
            guard makesStream else { return .null }
            table.update(argv[1], .stream(StreamValue()))
        }
        let milliseconds = milliseconds
        let added = try changeStream(argv[1]) { stream throws(CommandError) -> StreamID in
            if stream.lastID == .max {
                throw CommandError("ERR The stream has exhausted the last possible ID, unable to add more items")
            }
            let id = try wanted.id(after: stream.lastID, milliseconds: milliseconds)
            stream.append(id, fields)
            if let trimming { _ = trimming.apply(to: &stream) }
            return id
        }
        return added.map { .bulk($0.bytes) } ?? .null
    }

    /// The id as it stands in XADD.
    private enum WantedID {
        case byClock
        case first(UInt64)
        case exactly(StreamID)

        init(_ word: [UInt8]) throws(CommandError) {
            if word == [UInt8(ascii: "*")] {
                self = .byClock
            } else if word.count > 2, word.suffix(2) == [UInt8(ascii: "-"), UInt8(ascii: "*")],
                let first = StreamID.number(word.dropLast(2))
            {
                self = .first(first)
            } else if let id = StreamID(word, second: 0) {
                self = .exactly(id)
            } else {
                throw .badStreamID
            }
        }

        func id(after last: StreamID, milliseconds: UInt64) throws(CommandError) -> StreamID {
            let smaller = CommandError(
                "ERR The ID specified in XADD is equal or smaller than the target stream top item")
            switch self {
            case .exactly(let id):
                guard id > last else { throw smaller }
                return id
            case .byClock:
                if milliseconds > last.first { return StreamID(first: milliseconds, second: 0) }
                guard let id = last.next else { throw smaller }
                return id
            case .first(let first):
                if first > last.first { return StreamID(first: first, second: 0) }
                guard first == last.first, last.second < .max else { throw smaller }
                return StreamID(first: first, second: last.second + 1)
            }
        }
    }

    fileprivate func xrange(
        _ argv: [[UInt8]], start: [UInt8], end: [UInt8], isReversed: Bool
    ) throws(CommandError) -> RedisReply {
        let low = try Self.bound(start, isStart: true)
        let high = try Self.bound(end, isStart: false)
        var count = Int.max
        if argv.count > 4 {
            guard argv.count == 6, argv[4].isWord("count") else { throw .syntax }
            guard let number = argv[5].decimal else { throw .notAnInteger }
            count = max(0, Int(number))
        }
        guard let stream = try stream(argv[1]) else { return .array([]) }
        // A count of 0 is a null in Redis, not an empty list.
        guard count > 0 else { return .null }
        let found = stream.range(low, high)
        return .array(
            isReversed ? found.suffix(count).reversed().map(Self.reply) : found.prefix(count).map(Self.reply))
    }

    private static func bound(_ word: [UInt8], isStart: Bool) throws(CommandError) -> StreamID {
        if word == [UInt8(ascii: "-")] { return .zero }
        if word == [UInt8(ascii: "+")] { return .max }
        let isOpen = word.first == UInt8(ascii: "(")
        guard let id = StreamID(isOpen ? Array(word.dropFirst()) : word, second: isStart ? 0 : .max) else {
            throw .badStreamID
        }
        guard isOpen else { return id }
        guard let inner = isStart ? id.next : id.previous else {
            throw CommandError("ERR invalid \(isStart ? "start" : "end") ID for the interval")
        }
        return inner
    }

    private static func reply(_ entry: StreamValue.Entry) -> RedisReply {
        .array([.bulk(entry.id.bytes), .array(entry.fields.map { .bulk($0) })])
    }

    fileprivate func xinfo(_ argv: [[UInt8]]) throws(CommandError) -> RedisReply {
        guard argv[1].isWord("stream") else { throw .unknownSubcommand(argv[1], of: "XINFO") }
        guard argv.count == 3 else { throw argv.count < 3 ? .argumentCount("xinfo|stream") : .syntax }
        guard let stream = try stream(argv[2]) else { throw CommandError("ERR no such key") }
        let first = stream.entries.first
        // The two counts of the radix tree are those of a short stream: a detail of storage that is not modelled.
        return .array([
            .bulk("length"), .integer(stream.entries.count),
            .bulk("radix-tree-keys"), .integer(stream.entries.isEmpty ? 0 : 1),
            .bulk("radix-tree-nodes"), .integer(stream.entries.isEmpty ? 1 : 2),
            .bulk("last-generated-id"), .bulk(stream.lastID.bytes),
            .bulk("max-deleted-entry-id"), .bulk(stream.maxDeletedID.bytes),
            .bulk("entries-added"), .integer(Int64(stream.entriesAdded)),
            .bulk("recorded-first-entry-id"), .bulk((first?.id ?? .zero).bytes),
            .bulk("groups"), .integer(0),
            .bulk("first-entry"), first.map(Self.reply) ?? .null,
            .bulk("last-entry"), stream.entries.last.map(Self.reply) ?? .null,
        ])
    }

    /// XREAD without waiting: BLOCK is read over, as if its time had passed at once.
    fileprivate func xread(_ argv: [[UInt8]]) throws(CommandError) -> RedisReply {
        var position = 1
        var count = Int.max
        while position + 1 < argv.count, !argv[position].isWord("streams") {
            let isCount = argv[position].isWord("count")
            guard isCount || argv[position].isWord("block") else { throw .syntax }
            guard let number = argv[position + 1].decimal else { throw .notAnInteger }
            if isCount { count = number > 0 ? Int(number) : .max }
            position += 2
        }
        guard position < argv.count, argv[position].isWord("streams") else { throw .syntax }
        let words = argv[(position + 1)...]
        guard !words.isEmpty, words.count % 2 == 0 else {
            throw CommandError(
                "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.")
        }
        let half = words.count / 2
        var answer: [RedisReply] = []
        for (key, after) in zip(words.prefix(half), words.suffix(half)) {
            let stream = try stream(key)
            if after == [UInt8(ascii: "$")] { continue }
            guard let id = StreamID(after, second: 0) else { throw .badStreamID }
            guard let stream, let start = id.next else { continue }
            let found = stream.range(start, .max).prefix(count)
            if !found.isEmpty { answer.append(.array([.bulk(key), .array(found.map(Self.reply))])) }
        }
        return answer.isEmpty ? .null : .array(answer)
    }
}
