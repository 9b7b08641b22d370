import Telemetry
import TerminalUI

/// What `/` asks for: terms, all of which must hold.
///
/// A word is part of a SKU, name, tag or state, without regard to the case of ASCII letters; `/…/` is a regular expression over the
/// same texts; `left<100`, `rate>1k`, `state=hot`, `node=2` compare a column; `!` before a term turns it round. What cannot be read is an
/// error with its place, and the filter before it goes on.
struct StockFilter: Sendable, Hashable {
    /// What is wrong, and where, in characters from the beginning.
    struct Problem: Error, Hashable, Sendable {
        var message: String
        var offset: Int
    }

    struct Term: Sendable, Hashable {
        var isInverse: Bool
        var test: Test
    }

    enum Test: Sendable, Hashable {
        /// Bytes in lower case.
        case text([UInt8])
        case pattern(Pattern)
        case compare(Measure, Relation, Double)
        /// Lower case; whether it must be equal, else only not.
        case word(Label, [UInt8], isEqual: Bool)
        case node(Relation, Int)

        /// Whether it depends on nothing that changes while a sale runs, so that it is asked once for a SKU.
        var isLasting: Bool {
            switch self {
            case .pattern, .word(.sku, _, _), .word(.name, _, _), .word(.tag, _, _): true
            default: false
            }
        }
    }

    /// Columns of numbers.
    enum Measure: String, CaseIterable, Sendable { case left, sold, rate, share, allocated, oversold, turned, ledger }
    /// Columns of words.
    enum Label: String, CaseIterable, Sendable { case state, tag, sku, name }
    enum Relation: String, CaseIterable, Sendable {
        case atMost = "<="
        case atLeast = ">="
        case unequal = "!="
        case below = "<"
        case above = ">"
        case equal = "="
    }

    /// Every column that may be compared, for the help and the completion.
    static let columns = Measure.allCases.map(\.rawValue) + Label.allCases.map(\.rawValue) + ["node"]
    static let states = ["ok", "hot", "low", "out", "frozen", "fenced", "oversold"]

    let text: String
    let terms: [Term]

    /// A filter that lets everything through.
    init() {
        text = ""
        terms = []
    }

    init(parsing text: String) throws(Problem) {
        self.text = text
        var terms: [Term] = []
        let characters = Array(text)
        var place = 0
        while place < characters.count {
            if characters[place] == " " {
                place += 1
                continue
            }
            let start = place
            let isInverse = characters[place] == "!"
            if isInverse { place += 1 }
            guard place < characters.count, characters[place] != " " else {
                throw Problem(message: "! turns round what follows it, and nothing does", offset: start)
            }
            if characters[place] == "/" {
                terms.append(Term(isInverse: isInverse, test: try Self.pattern(characters, &place)))
                continue
            }
            let from = place
            while place < characters.count, characters[place] != " " { place += 1 }
            terms.append(
                Term(isInverse: isInverse, test: try Self.test(String(characters[from..<place]), at: from)))
        }
        self.terms = terms
    }

    var isEmpty: Bool { terms.isEmpty }

    /// Whether its last word could become the name of a column.
    var beginsColumn: Bool {
        guard case .text(let word)? = terms.last?.test else { return false }
        return Self.columns.contains { $0.utf8.starts(with: word) }
    }

    // MARK: Reading

    /// `/…/`, up to its second slash or the end; `\/` is a slash.
    private static func pattern(_ characters: [Character], _ place: inout Int) throws(Problem) -> Test {
        let start = place + 1
        place = start
        var body = ""
        while place < characters.count, characters[place] != "/" {
            if characters[place] == "\\", place + 1 < characters.count {
                if characters[place + 1] != "/" { body.append("\\") }
                place += 1
            }
            body.append(characters[place])
            place += 1
        }
        if place < characters.count { place += 1 }
        do { return .pattern(try Pattern(body)) } catch {
            throw Problem(message: "/\(body)/: \(error.message)", offset: min(characters.count, start + error.offset))
        }
    }

    private static func test(_ word: String, at offset: Int) throws(Problem) -> Test {
        guard let mark = word.firstIndex(where: { "<>=!".contains($0) }), mark != word.startIndex else {
            return .text(word.utf8.map(lowered))
        }
        let rest = word[mark...]
        guard let relation = Relation.allCases.first(where: { rest.hasPrefix($0.rawValue) }) else {
            return .text(word.utf8.map(lowered))
        }
        let name = word[..<mark].lowercased()
        let value = rest.dropFirst(relation.rawValue.count).lowercased()
        let valueOffset = offset + word.distance(from: word.startIndex, to: mark) + relation.rawValue.count
        func need(_ what: String) -> Problem {
            Problem(message: "\(name)\(relation.rawValue): \(what)", offset: valueOffset)
        }
        if name == "node" {
            guard let number = Int(value), number >= 1 else { throw need("the number of a node, such as 2") }
            return .node(relation, number - 1)
        }
        if let measure = Measure(rawValue: name == "%" ? "share" : name) {
            guard let number = number(value) else { throw need("a number, such as 100, 1.5k, 20%") }
            return .compare(measure, relation, number)
        }
        if let label = Label(rawValue: name) {
            guard relation == .equal || relation == .unequal else {
                throw Problem(
                    message: "\(name) is a word: use = or !=", offset: valueOffset - relation.rawValue.count)
            }
            guard !value.isEmpty else {
                throw need(label == .state ? "one of \(states.joined(separator: ", "))" : "what it should be")
            }
            if label == .state, !states.contains(where: { $0.hasPrefix(value) }), !"sold out".hasPrefix(value) {
                throw need("no such state; one of \(states.joined(separator: ", "))")
            }
            return .word(label, value.utf8.map(lowered), isEqual: relation == .equal)
        }
        throw Problem(message: "no column \(name): \(columns.joined(separator: ", "))", offset: offset)
    }

    private static func number(_ text: String) -> Double? {
        let scale = text.hasSuffix("k") ? 1e3 : text.hasSuffix("m") ? 1e6 : text.hasSuffix("%") ? 0.01 : 1
        return Double(scale == 1 ? text : String(text.dropLast())).flatMap { $0.isFinite ? $0 * scale : nil }
    }

    // MARK: Asking

    func matches(_ sku: WarRoomSnapshot.SKU) -> Bool {
        terms.allSatisfy { term in
            if case .pattern(let pattern) = term.test {
                var matcher = PatternMatcher(pattern)
                return Self.holds(&matcher, sku) != term.isInverse
            }
            return Self.holds(term.test, sku) != term.isInverse
        }
    }

    static func holds(_ matcher: inout PatternMatcher, _ sku: WarRoomSnapshot.SKU) -> Bool {
        matcher.matches(sku.sku) || matcher.matches(sku.name) || matcher.matches(sku.tag)
    }

    /// Anything but a pattern.
    static func holds(_ test: Test, _ sku: WarRoomSnapshot.SKU) -> Bool {
        switch test {
        case .text(let needle):
            return contains(sku.sku, needle) || contains(sku.name, needle) || contains(sku.tag, needle)
                || contains(sku.state.word, needle)
        case .pattern: return false
        case .compare(let measure, let relation, let number): return holds(value(measure, sku), relation, number)
        case .node(let relation, let node):
            guard let own = sku.node else { return relation == .unequal }
            return holds(Double(own), relation, Double(node))
        case .word(let label, let wanted, let isEqual):
            let found =
                switch label {
                case .state: Self.begins(sku.state.filterWord, wanted) || Self.begins(sku.state.word, wanted)
                case .tag: equal(sku.tag, wanted)
                case .sku: equal(sku.sku, wanted)
                case .name: contains(sku.name, wanted)
                }
            return found == isEqual
        }
    }

    private static func value(_ measure: Measure, _ sku: WarRoomSnapshot.SKU) -> Double {
        switch measure {
        case .left: sku.stock.map(Double.init) ?? .nan
        case .sold: Double(sku.taken)
        case .rate: sku.unitsPerSecond
        case .share: sku.soldShare
        case .allocated: Double(sku.allocated)
        case .oversold: Double(sku.oversold)
        case .turned: Double(sku.rateLimit?.turnedAway ?? 0)
        case .ledger: sku.ledgerEntries.map(Double.init) ?? .nan
        }
    }

    private static func holds(_ left: Double, _ relation: Relation, _ right: Double) -> Bool {
        switch relation {
        case .atMost: left <= right
        case .atLeast: left >= right
        case .below: left < right
        case .above: left > right
        case .equal: left == right
        case .unequal: left != right
        }
    }

    // MARK: Bytes

    static func lowered(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 0x20 : byte }

    /// A plain search over bytes: 100,000 names are searched between two key strokes.
    static func contains(_ text: String, _ needle: [UInt8]) -> Bool {
        var text = text
        return text.withUTF8 { search($0, needle) }
    }

    private static func equal(_ text: String, _ wanted: [UInt8]) -> Bool {
        text.utf8.count == wanted.count && zip(text.utf8, wanted).allSatisfy { lowered($0) == $1 }
    }

    private static func begins(_ text: String, _ wanted: [UInt8]) -> Bool {
        text.utf8.count >= wanted.count && zip(text.utf8, wanted).allSatisfy { lowered($0) == $1 }
    }

    private static func search(_ hay: UnsafeBufferPointer<UInt8>, _ needle: [UInt8]) -> Bool {
        guard let first = needle.first else { return true }
        guard needle.count <= hay.count else { return false }
        var start = 0
        let last = hay.count - needle.count
        while start <= last {
            if lowered(hay[start]) == first {
                var length = 1
                while length < needle.count && lowered(hay[start + length]) == needle[length] { length += 1 }
                if length == needle.count { return true }
            }
            start += 1
        }
        return false
    }
}

extension StockState {
    /// As `state=` names it.
    var filterWord: String {
        switch self {
        case .ok: "ok"
        case .hot: "hot"
        case .low: "low"
        case .soldOut: "out"
        case .frozen: "frozen"
        case .fenced: "fenced"
        case .unread: "unread"
        case .oversold: "oversold"
        }
    }
}
