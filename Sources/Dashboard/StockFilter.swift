import Telemetry
import TerminalUI

/// What `/` asks for: words, all of which must hold.
///
/// A word is part of a SKU, name, tag or state, without regard to the case of ASCII letters; `left<100`, `sold>1k`, `rate>=10` compare;
/// `!` before a word turns it round.
struct StockFilter: Sendable, Hashable {
    let text: String
    private let terms: [Term]

    private struct Term: Sendable, Hashable {
        var isInverse: Bool
        var test: Test
    }

    private enum Test: Sendable, Hashable {
        case text([UInt8])
        case compare(Field, Relation, Double)
    }

    private enum Field: String { case left, sold, rate, oversold }
    private enum Relation: String, CaseIterable {
        case atMost = "<="
        case atLeast = ">="
        case below = "<"
        case above = ">"
        case equal = "="
    }

    init(_ text: String) {
        self.text = text
        terms = text.split(separator: " ").compactMap { word in
            let isInverse = word.first == "!"
            let rest = isInverse ? word.dropFirst() : word
            guard !rest.isEmpty else { return nil }
            return Term(isInverse: isInverse, test: Self.test(String(rest)))
        }
    }

    var isEmpty: Bool { terms.isEmpty }

    func matches(_ sku: WarRoomSnapshot.SKU) -> Bool {
        terms.allSatisfy { term in
            switch term.test {
            case .text(let needle):
                (Self.contains(sku.sku, needle) || Self.contains(sku.name, needle) || Self.contains(sku.tag, needle)
                    || Self.contains(sku.state.word, needle)) != term.isInverse
            case .compare(let field, let relation, let value):
                Self.holds(Self.value(field, sku), relation, value) != term.isInverse
            }
        }
    }

    private static func test(_ word: String) -> Test {
        for relation in Relation.allCases {
            guard let mark = word.firstRange(of: relation.rawValue),
                let field = Field(rawValue: word[..<mark.lowerBound].lowercased()),
                let value = number(word[mark.upperBound...].lowercased())
            else { continue }
            return .compare(field, relation, value)
        }
        return .text(word.utf8.map(lowered))
    }

    private static func number(_ text: String) -> Double? {
        let scale = text.hasSuffix("k") ? 1e3 : text.hasSuffix("m") ? 1e6 : 1
        return Double(scale == 1 ? text : String(text.dropLast())).map { $0 * scale }
    }

    private static func value(_ field: Field, _ sku: WarRoomSnapshot.SKU) -> Double {
        switch field {
        case .left: sku.stock.map(Double.init) ?? .nan
        case .sold: Double(sku.taken)
        case .rate: sku.unitsPerSecond
        case .oversold: Double(sku.oversold)
        }
    }

    private static func holds(_ left: Double, _ relation: Relation, _ right: Double) -> Bool {
        switch relation {
        case .atMost: left <= right
        case .atLeast: left >= right
        case .below: left < right
        case .above: left > right
        case .equal: left == right
        }
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 0x20 : byte }

    /// A plain search over bytes: 100,000 names are searched between two key strokes.
    private static func contains(_ text: String, _ needle: [UInt8]) -> Bool {
        let found = text.utf8.withContiguousStorageIfAvailable { search($0, needle) }
        return found ?? Array(text.utf8).withUnsafeBufferPointer { search($0, needle) }
    }

    private static func search(_ hay: UnsafeBufferPointer<UInt8>, _ needle: [UInt8]) -> Bool {
        guard needle.count <= hay.count else { return false }
        var start = 0
        while start <= hay.count - needle.count {
            var length = 0
            while length < needle.count && lowered(hay[start + length]) == needle[length] { length += 1 }
            if length == needle.count { return true }
            start += 1
        }
        return false
    }
}
