import Redis

/// Reading of arguments as Redis reads them.
extension [UInt8] {
    init(_ text: StaticString) {
        self = text.withUTF8Buffer { Array($0) }
    }

    /// A whole number in its one canonical decimal form; `nil` for anything else, as also `+1`, `01` or ` 1`.
    var decimal: Int64? {
        guard !isEmpty, count <= 20 else { return nil }
        if count == 1 { return (48...57).contains(self[0]) ? Int64(self[0] - 48) : nil }
        let isNegative = self[0] == UInt8(ascii: "-")
        let digits = isNegative ? dropFirst() : self[...]
        guard let lead = digits.first, lead != 48, let magnitude = StreamID.number(digits) else { return nil }
        if isNegative {
            return magnitude <= UInt64(Int64.max) + 1 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil
        }
        return Int64(exactly: magnitude)
    }

    /// ASCII letters made small.
    var lowercased: [UInt8] {
        contains { (65...90).contains($0) } ? map { (65...90).contains($0) ? $0 | 32 : $0 } : self
    }

    func isWord(_ word: StaticString) -> Bool {
        guard count == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { letters in
            for position in indices where self[position] != letters[position] {
                let byte = self[position]
                guard (65...90).contains(byte), byte | 32 == letters[position] else { return false }
            }
            return true
        }
    }

    var text: String { String(decoding: self, as: UTF8.self) }

    /// Whether this matches a glob of `*`, `?`, `[…]` and `\`.
    func matches(glob: [UInt8]) -> Bool { Self.matches(self[...], glob[...]) }

    private static func matches(_ text: ArraySlice<UInt8>, _ glob: ArraySlice<UInt8>) -> Bool {
        guard let sign = glob.first else { return text.isEmpty }
        let rest = glob.dropFirst()
        switch sign {
        case UInt8(ascii: "*"):
            if rest.isEmpty { return true }
            var tail = text
            while true {
                if matches(tail, rest) { return true }
                if tail.isEmpty { return false }
                tail = tail.dropFirst()
            }
        case UInt8(ascii: "?"): return !text.isEmpty && matches(text.dropFirst(), rest)
        case UInt8(ascii: "["):
            guard let byte = text.first else { return false }
            var set = rest
            let isNegated = set.first == UInt8(ascii: "^")
            if isNegated { set = set.dropFirst() }
            var found = false
            while let low = set.first, low != UInt8(ascii: "]") {
                set = set.dropFirst()
                var high = low
                if set.first == UInt8(ascii: "-"), let end = set.dropFirst().first, end != UInt8(ascii: "]") {
                    high = end
                    set = set.dropFirst(2)
                }
                if byte >= Swift.min(low, high), byte <= Swift.max(low, high) { found = true }
            }
            return found != isNegated && matches(text.dropFirst(), set.dropFirst())
        case UInt8(ascii: "\\") where !rest.isEmpty:
            return text.first == rest.first && matches(text.dropFirst(), rest.dropFirst())
        default: return text.first == sign && matches(text.dropFirst(), rest)
        }
    }
}

extension RedisReply {
    static let ok = RedisReply.status("OK")
    static func bulk(_ text: String) -> RedisReply { .bulk(Array(text.utf8)) }
    static func integer(_ count: Int) -> RedisReply { .integer(Int64(count)) }
}
