/// How somebody else's keys are made: `stock:sku`, `ss_{sku}`, `ss_{tag}_sku`.
///
/// The words `sku` and `tag` are placeholders wherever they stand alone: with no letter right before or behind them, so that `skus:sku`
/// and `stage:sku` have one placeholder each. `<sku>` and `<tag>` are placeholders anywhere (`stock<sku>`); a backslash makes the next
/// character literal (`\sku:sku` for `sku:1001`). Everything else is written as the keys have it, braces too: a brace in a template is a
/// brace in the key, and so the hash tag that decides its slot.
///
/// A key is read back by the literal text between the placeholders: a tag ends at the first place where that text follows, and holds
/// no brace; the SKU takes the rest.
public struct KeyTemplate: Sendable, Hashable, CustomStringConvertible {
    /// Longest template, in bytes.
    public static let bytesMax = 256

    enum Part: Sendable, Hashable {
        case literal([UInt8])
        case sku
        case tag
    }

    /// What a key says.
    public struct Reading: Sendable, Hashable {
        public let sku: String
        /// `nil` where the template has none.
        public let tag: String?
        public init(sku: String, tag: String? = nil) {
            self.sku = sku
            self.tag = tag
        }
    }

    /// Why a text is no template, in one line.
    public struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
        public let description: String
    }

    let parts: [Part]
    /// As it was written.
    public let text: String

    public var description: String { text }
    public var hasTag: Bool { parts.contains(.tag) }

    /// - Throws: what is wrong with it: no `sku`, a placeholder twice, two placeholders with nothing between them.
    public init(_ text: String) throws(Problem) {
        let bytes = Array(text.utf8)
        func bad(_ why: String) -> Problem {
            Problem(description: "\(why); write the keys with sku (and tag) in them, such as stock:sku or ss_{tag}_sku")
        }
        guard !bytes.isEmpty else { throw bad("the template is empty") }
        guard bytes.count <= Self.bytesMax else { throw bad("the template is longer than \(Self.bytesMax) bytes") }
        guard !bytes.contains(0) else { throw bad("the template holds a NUL") }
        var parts: [Part] = []
        var literal: [UInt8] = []
        func endLiteral() {
            if !literal.isEmpty { parts.append(.literal(literal)) }
            literal = []
        }
        func isLetter(_ position: Int) -> Bool {
            guard bytes.indices.contains(position) else { return false }
            let byte = bytes[position] | 0x20
            return byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
        }
        var position = 0
        // A letter that a backslash made literal still is one to its neighbours.
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\\") {
                guard position + 1 < bytes.count else { throw bad("nothing follows the last backslash") }
                literal.append(bytes[position + 1])
                position += 2
                // The rest of an escaped word is no placeholder either: `\sku`.
                continue
            }
            var found: (Part, Int)?
            for (word, part) in [(Array("sku".utf8), Part.sku), (Array("tag".utf8), .tag)] {
                let marked = [UInt8(ascii: "<")] + word + [UInt8(ascii: ">")]
                if bytes[position...].starts(with: marked) { found = (part, marked.count) }
                if bytes[position...].starts(with: word), !isLetter(position - 1), !isLetter(position + word.count) {
                    found = (part, word.count)
                }
            }
            guard let (part, length) = found else {
                literal.append(byte)
                position += 1
                continue
            }
            endLiteral()
            if parts.contains(part) { throw bad("\(part == .sku ? "sku" : "tag") stands in it twice") }
            if let last = parts.last, last == .sku || last == .tag { throw bad("nothing stands between sku and tag") }
            parts.append(part)
            position += length
        }
        endLiteral()
        guard parts.contains(.sku) else { throw bad("it does not say where the SKU stands") }
        self.parts = parts
        self.text = text
    }

    /// The key of a SKU.
    public func key(_ reading: Reading) -> [UInt8] {
        var key: [UInt8] = []
        for part in parts {
            switch part {
            case .literal(let bytes): key += bytes
            case .sku: key += Array(reading.sku.utf8)
            case .tag: key += Array((reading.tag ?? "").utf8)
            }
        }
        return key
    }

    /// What a key says; `nil` where it is not made so.
    public func read(_ key: [UInt8]) -> Reading? {
        var rest = key[...]
        var open = parts[...]
        while case .literal(let bytes)? = open.first {
            guard rest.starts(with: bytes) else { return nil }
            rest = rest.dropFirst(bytes.count)
            open = open.dropFirst()
        }
        while case .literal(let bytes)? = open.last {
            guard rest.count >= bytes.count, rest.suffix(bytes.count).elementsEqual(bytes) else { return nil }
            rest = rest.dropLast(bytes.count)
            open = open.dropLast()
        }
        // One placeholder is left, or two with a literal between them.
        guard open.count == 3, case .literal(let middle) = open[open.startIndex + 1] else {
            guard open.count == 1, let sku = Self.text(rest) else { return nil }
            return Reading(sku: sku)
        }
        let tagFirst = open.first == .tag
        guard let cut = tagFirst ? Self.first(middle, in: rest) : Self.last(middle, in: rest) else { return nil }
        let (left, right) = (rest[..<cut], rest[(cut + middle.count)...])
        guard let tag = Self.text(tagFirst ? left : right), let sku = Self.text(tagFirst ? right : left),
            !tag.utf8.contains(where: { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}") })
        else { return nil }
        return Reading(sku: sku, tag: tag)
    }

    /// The pattern of SCAN that finds at least these keys.
    public var pattern: [UInt8] {
        var pattern: [UInt8] = []
        for part in parts {
            guard case .literal(let bytes) = part else {
                pattern.append(UInt8(ascii: "*"))
                continue
            }
            for byte in bytes {
                if Array("*?[]^\\-".utf8).contains(byte) { pattern.append(UInt8(ascii: "\\")) }
                pattern.append(byte)
            }
        }
        return pattern
    }

    /// Whether everything that this template asks for, the other's keys say.
    public func isFilled(by other: KeyTemplate) -> Bool { !hasTag || other.hasTag }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String? {
        bytes.isEmpty ? nil : String(validating: bytes, as: UTF8.self)
    }

    private static func first(_ literal: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= literal.count else { return nil }
        return (bytes.startIndex...(bytes.endIndex - literal.count)).first { bytes[$0...].starts(with: literal) }
    }

    private static func last(_ literal: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= literal.count else { return nil }
        return (bytes.startIndex...(bytes.endIndex - literal.count)).last { bytes[$0...].starts(with: literal) }
    }
}

/// Where stock and ledgers of somebody else's sale lie.
public struct ForeignKeys: Sendable, Hashable {
    public let stock: KeyTemplate
    /// A hash with a field for each order; `nil`: there is none.
    public let ledger: KeyTemplate?

    /// - Throws: when the ledger's keys need a tag that the stock's do not tell, or are the stock's.
    public init(stock: KeyTemplate, ledger: KeyTemplate? = nil) throws(KeyTemplate.Problem) {
        if let ledger {
            guard ledger.isFilled(by: stock) else {
                throw KeyTemplate.Problem(
                    description: "the ledger's keys (\(ledger)) need a tag, which the stock's (\(stock)) do not tell")
            }
            guard ledger.parts != stock.parts else {
                throw KeyTemplate.Problem(description: "stock and ledger cannot have the same keys (\(stock))")
            }
        }
        self.stock = stock
        self.ledger = ledger
    }
}
