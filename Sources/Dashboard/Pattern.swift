/// A small regular expression that is matched in one pass over the bytes, whatever the pattern: no pattern that a person types, or
/// that somebody made them paste, can hang the screen.
///
/// It knows `.`, `[a-z]`, `[^…]`, `*`, `+`, `?`, `|`, `( )`, `^`, `$`, `\d`, `\w`, `\s`, and a backslash before anything else. ASCII
/// letters match in either case; other characters byte by byte. Compiled to a nondeterministic automaton (Thompson, 1968), whose sets of
/// states become states of a table while it is used.
struct Pattern: Sendable, Hashable {
    /// Characters of a pattern, and states of a table, before it begins anew.
    static let charactersMax = 200
    static let tableStatesMax = 256

    struct Problem: Error, Hashable, Sendable {
        var message: String
        /// In bytes from the pattern's beginning.
        var offset: Int
    }

    /// Bytes as a set of 256 bits.
    struct Bytes: Hashable, Sendable {
        var bits: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        static func == (left: Bytes, right: Bytes) -> Bool { left.bits == right.bits }
        func hash(into hasher: inout Hasher) {
            for word in [bits.0, bits.1, bits.2, bits.3] { hasher.combine(word) }
        }

        mutating func insert(_ byte: UInt8) {
            let bit = UInt64(1) << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: bits.0 |= bit
            case 1: bits.1 |= bit
            case 2: bits.2 |= bit
            default: bits.3 |= bit
            }
        }

        func contains(_ byte: UInt8) -> Bool {
            let bit = UInt64(1) << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: return bits.0 & bit != 0
            case 1: return bits.1 & bit != 0
            case 2: return bits.2 & bit != 0
            default: return bits.3 & bit != 0
            }
        }

        mutating func insert(_ range: ClosedRange<UInt8>) { for byte in range { insert(byte) } }
        mutating func form(union other: Bytes) {
            bits = (bits.0 | other.bits.0, bits.1 | other.bits.1, bits.2 | other.bits.2, bits.3 | other.bits.3)
        }
        var inverted: Bytes { Bytes(bits: (~bits.0, ~bits.1, ~bits.2, ~bits.3)) }
        /// With both cases of each ASCII letter.
        var caseless: Bytes {
            var result = self
            for letter in UInt8(ascii: "a")...UInt8(ascii: "z") where contains(letter) || contains(letter - 32) {
                result.insert(letter)
                result.insert(letter - 32)
            }
            return result
        }
    }

    enum Node: Hashable, Sendable {
        case bytes(Bytes, next: Int)
        case split(Int, Int)
        case atStart(next: Int)
        case atEnd(next: Int)
        case accept
    }

    let text: String
    let nodes: [Node]
    let start: Int

    init(_ text: String) throws(Problem) {
        self.text = text
        var parser = PatternParser(Array(text.utf8))
        (nodes, start) = try parser.parse()
    }

    static func == (left: Pattern, right: Pattern) -> Bool { left.text == right.text }
    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// Matches one pattern against many texts.
struct PatternMatcher {
    private let pattern: Pattern
    /// Sets of states that were met, and where each byte leads; -1: not known yet.
    private var sets: [[Int]] = []
    private var numbers: [[Int]: Int] = [:]
    private var table: [Int32] = []
    private var accepts: [Bool] = []
    private var acceptsAtEnd: [Bool] = []

    init(_ pattern: Pattern) { self.pattern = pattern }

    /// Whether some part of the text matches.
    mutating func matches(_ text: String) -> Bool {
        var copy = text
        return copy.withUTF8 { matches($0) }
    }

    mutating func matches(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        if sets.isEmpty { _ = number(of: closure([pattern.start], isStart: true)) }
        var state = 0
        for byte in bytes {
            if accepts[state] { return true }
            let known = table[state << 8 | Int(byte)]
            state = known >= 0 ? Int(known) : step(state, byte)
        }
        return accepts[state] || acceptsAtEnd[state]
    }

    private mutating func step(_ state: Int, _ byte: UInt8) -> Int {
        if sets.count >= Pattern.tableStatesMax {
            // Begins a new table, at the same set of states.
            let here = sets[state]
            (sets, numbers, table, accepts, acceptsAtEnd) = ([], [:], [], [], [])
            _ = number(of: closure([pattern.start], isStart: true))
            return step(number(of: here), byte)
        }
        var next: [Int] = [pattern.start]
        for node in sets[state] {
            if case .bytes(let wanted, let target) = pattern.nodes[node], wanted.contains(byte) { next.append(target) }
        }
        let target = number(of: closure(next, isStart: false))
        table[state << 8 | Int(byte)] = Int32(target)
        return target
    }

    private mutating func number(of set: [Int]) -> Int {
        if let known = numbers[set] { return known }
        let number = sets.count
        sets.append(set)
        numbers[set] = number
        table.append(contentsOf: repeatElement(-1, count: 256))
        accepts.append(set.contains { pattern.nodes[$0] == .accept })
        acceptsAtEnd.append(reachesEnd(set))
        return number
    }

    /// Every state that is reached without a byte; anchors only where they hold.
    private func closure(_ seeds: [Int], isStart: Bool, isEnd: Bool = false) -> [Int] {
        var seen = Set<Int>()
        var pending = seeds
        while let node = pending.popLast() {
            guard seen.insert(node).inserted else { continue }
            switch pattern.nodes[node] {
            case .split(let left, let right): pending += [left, right]
            case .atStart(let next): if isStart { pending.append(next) }
            case .atEnd(let next): if isEnd { pending.append(next) }
            case .bytes, .accept: break
            }
        }
        return seen.sorted()
    }

    private func reachesEnd(_ set: [Int]) -> Bool {
        closure(set, isStart: false, isEnd: true).contains { pattern.nodes[$0] == .accept }
    }
}

/// Recursive descent; each part becomes nodes that lead to the node that follows it, so it is built from its end.
private struct PatternParser {
    private enum Tree {
        case empty
        case bytes(Pattern.Bytes)
        case start, end
        indirect case sequence([Tree])
        indirect case either(Tree, Tree)
        indirect case repeated(Tree, least: Int, isOnce: Bool)
    }

    private let text: [UInt8]
    private var place = 0
    private var depth = 0
    private var nodes: [Pattern.Node] = []

    init(_ text: [UInt8]) { self.text = text }

    mutating func parse() throws(Pattern.Problem) -> ([Pattern.Node], Int) {
        guard text.count <= Pattern.charactersMax else { throw problem("too long", at: Pattern.charactersMax) }
        let tree = try either()
        guard place == text.count else { throw problem("a ) without its (", at: place) }
        nodes.append(.accept)
        let start = build(tree, next: 0)
        return (nodes, start)
    }

    private func problem(_ message: String, at offset: Int) -> Pattern.Problem {
        Pattern.Problem(message: message, offset: offset)
    }

    private mutating func either() throws(Pattern.Problem) -> Tree {
        let left = try sequence()
        guard place < text.count, text[place] == UInt8(ascii: "|") else { return left }
        place += 1
        return .either(left, try either())
    }

    private mutating func sequence() throws(Pattern.Problem) -> Tree {
        var parts: [Tree] = []
        while place < text.count, text[place] != UInt8(ascii: "|"), text[place] != UInt8(ascii: ")") {
            parts.append(try repeated())
        }
        return parts.isEmpty ? .empty : parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func repeated() throws(Pattern.Problem) -> Tree {
        var tree = try atom()
        while place < text.count {
            switch text[place] {
            case UInt8(ascii: "*"): tree = .repeated(tree, least: 0, isOnce: false)
            case UInt8(ascii: "+"): tree = .repeated(tree, least: 1, isOnce: false)
            case UInt8(ascii: "?"): tree = .repeated(tree, least: 0, isOnce: true)
            default: return tree
            }
            place += 1
        }
        return tree
    }

    private mutating func atom() throws(Pattern.Problem) -> Tree {
        let start = place
        place += 1
        switch text[start] {
        case UInt8(ascii: "("):
            depth += 1
            guard depth <= 40 else { throw problem("too many brackets within each other", at: start) }
            let inner = try either()
            guard place < text.count else { throw problem("a ( without its )", at: start) }
            place += 1
            depth -= 1
            return inner
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
            throw problem("nothing stands before it to be repeated", at: start)
        case UInt8(ascii: "^"): return .start
        case UInt8(ascii: "$"): return .end
        case UInt8(ascii: "."):
            return .bytes(Pattern.Bytes().inverted)
        case UInt8(ascii: "["): return .bytes(try list(from: start))
        case UInt8(ascii: "\\"): return .bytes(try escaped(from: start))
        default:
            var one = Pattern.Bytes()
            one.insert(text[start])
            return .bytes(one.caseless)
        }
    }

    private mutating func escaped(from start: Int) throws(Pattern.Problem) -> Pattern.Bytes {
        guard place < text.count else { throw problem("a \\ at the end", at: start) }
        var set = Pattern.Bytes()
        let letter = text[place]
        place += 1
        switch letter | 0x20 {
        case UInt8(ascii: "d"): set.insert(UInt8(ascii: "0")...UInt8(ascii: "9"))
        case UInt8(ascii: "w"):
            set.insert(UInt8(ascii: "0")...UInt8(ascii: "9"))
            set.insert(UInt8(ascii: "a")...UInt8(ascii: "z"))
            set.insert(UInt8(ascii: "_"))
            set = set.caseless
        case UInt8(ascii: "s"): for byte in [UInt8(9), 10, 13, 32] { set.insert(byte) }
        default:
            set.insert(letter)
            return set
        }
        return letter & 0x20 == 0 ? set.inverted : set
    }

    private mutating func list(from start: Int) throws(Pattern.Problem) -> Pattern.Bytes {
        var set = Pattern.Bytes()
        var isInverse = false
        if place < text.count, text[place] == UInt8(ascii: "^") {
            isInverse = true
            place += 1
        }
        var isFirst = true
        while place < text.count, isFirst || text[place] != UInt8(ascii: "]") {
            isFirst = false
            let low = text[place]
            place += 1
            if low == UInt8(ascii: "\\") {
                set.form(union: try escaped(from: place - 1))
            } else if place + 1 < text.count, text[place] == UInt8(ascii: "-"), text[place + 1] != UInt8(ascii: "]") {
                let high = text[place + 1]
                guard low <= high else { throw problem("a range from high to low", at: place - 1) }
                set.insert(low...high)
                place += 2
            } else {
                set.insert(low)
            }
        }
        guard place < text.count else { throw problem("a [ without its ]", at: start) }
        place += 1
        return isInverse ? set.caseless.inverted : set.caseless
    }

    private mutating func build(_ tree: Tree, next: Int) -> Int {
        switch tree {
        case .empty: return next
        case .bytes(let set): return add(.bytes(set, next: next))
        case .start: return add(.atStart(next: next))
        case .end: return add(.atEnd(next: next))
        case .sequence(let parts): return parts.reversed().reduce(next) { build($1, next: $0) }
        case .either(let left, let right):
            let first = build(left, next: next)
            return add(.split(first, build(right, next: next)))
        case .repeated(let inner, let least, let isOnce):
            if isOnce { return add(.split(build(inner, next: next), next)) }
            let loop = add(.split(0, next))
            let body = build(inner, next: loop)
            nodes[loop] = .split(body, next)
            return least == 0 ? loop : body
        }
    }

    private mutating func add(_ node: Pattern.Node) -> Int {
        nodes.append(node)
        return nodes.count - 1
    }
}
