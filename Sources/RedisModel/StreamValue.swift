/// The id of a stream entry, `<first>-<second>`.
struct StreamID: Comparable, Sendable {
    var first: UInt64
    var second: UInt64

    static let zero = StreamID(first: 0, second: 0)
    static let max = StreamID(first: .max, second: .max)

    static func < (left: StreamID, right: StreamID) -> Bool {
        left.first != right.first ? left.first < right.first : left.second < right.second
    }

    /// The id after this one; `nil` after the last.
    var next: StreamID? {
        if second < .max { return StreamID(first: first, second: second + 1) }
        return first < .max ? StreamID(first: first + 1, second: 0) : nil
    }

    /// The id before this one; `nil` before the first.
    var previous: StreamID? {
        if second > 0 { return StreamID(first: first, second: second - 1) }
        return first > 0 ? StreamID(first: first - 1, second: .max) : nil
    }

    var bytes: [UInt8] { Array("\(first)-\(second)".utf8) }

    init(first: UInt64, second: UInt64) {
        self.first = first
        self.second = second
    }

    /// Reads `<first>-<second>`, or `<first>` with `second` for what is not there; `nil` for anything else.
    init?(_ text: [UInt8], second missing: UInt64) {
        let parts = text.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = Self.number(parts[0]) else { return nil }
        self.first = first
        guard parts.count == 2 else {
            second = missing
            return
        }
        guard let second = Self.number(parts[1]) else { return nil }
        self.second = second
    }

    static func number(_ digits: some Collection<UInt8>) -> UInt64? {
        guard !digits.isEmpty, digits.count <= 20 else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard (48...57).contains(digit) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit - 48))
            if overflow || carry { return nil }
            value = sum
        }
        return value
    }
}

/// A stream: entries in the order of their ids, and the numbers that outlive them.
struct StreamValue: Sendable {
    struct Entry: Sendable {
        let id: StreamID
        /// Names and values in turn.
        let fields: [[UInt8]]
    }

    private(set) var entries: [Entry] = []
    var lastID = StreamID.zero
    private(set) var maxDeletedID = StreamID.zero
    private(set) var entriesAdded: UInt64 = 0

    mutating func append(_ id: StreamID, _ fields: [[UInt8]]) {
        entries.append(Entry(id: id, fields: fields))
        lastID = id
        entriesAdded += 1
    }

    /// The position of the first entry whose id is not below `id`.
    func position(of id: StreamID) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The entries from `start` to `end`, both included.
    func range(_ start: StreamID, _ end: StreamID) -> ArraySlice<Entry> {
        guard start <= end else { return [] }
        let low = position(of: start)
        let high = end.next.map { position(of: $0) } ?? entries.count
        return entries[low..<high]
    }

    /// Removes the oldest entries; returns how many they were.
    mutating func trim(below id: StreamID) -> Int {
        let count = position(of: id)
        entries.removeFirst(count)
        return count
    }

    /// Removes the oldest entries until `count` are left; returns how many they were.
    mutating func trim(toCount count: Int) -> Int {
        let surplus = Swift.max(0, entries.count - count)
        entries.removeFirst(surplus)
        return surplus
    }

    mutating func delete(_ id: StreamID) -> Bool {
        let position = position(of: id)
        guard position < entries.count, entries[position].id == id else { return false }
        entries.remove(at: position)
        maxDeletedID = Swift.max(maxDeletedID, id)
        return true
    }
}
