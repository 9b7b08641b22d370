public import Inventory
public import Redis

/// One consistent reading of a bucket in Redis.
public struct BucketCut: Sendable {
    public struct SKU: Sendable, Hashable {
        public let sku: SKUNumber
        /// `nil`: the key is gone or no integer.
        public let stock: Int64?
        public let control: SKUControl?
        /// Fields of the ledger besides its control: flows, what buyers hold, repair marks. 0 if nobody asked for them.
        public let ledgerEntries: Int64

        /// Whether its numbers are there and add up.
        fileprivate var damage: FenceReason? {
            guard let stock, let control else { return .missing }
            // Somebody else may have written any number.
            let (sum, overflow) = stock.addingReportingOverflow(control.taken)
            return stock < 0 || overflow || sum != control.allocated ? .unbalanced : nil
        }
    }

    public let bucket: BucketNumber
    /// `nil`: the bucket's control is gone.
    public let id: OutboxID?
    public let state: String
    public let lineageHolds: Bool
    /// The newest id in the outbox; `nil`: the outbox is gone.
    public let outboxEnd: OutboxID?
    /// The number of the last act on the bucket that Redis has heard; 0: none.
    public let act: Int64
    /// Whose the bucket is; `nil`: its control is gone, or was written before sales had an identity.
    public let sale: SaleIdentity?
    /// In the bucket's order.
    public let skus: [SKU]

    /// Reads the answer of cut.lua; `nil` for anything else.
    public init?(_ reply: RedisReply, bucket: Bucket) {
        guard let values = reply.array, values.count == 8, let lines = values[7].bytes,
            let skus = lines.withUnsafeBytes({ Self.read($0, bucket.skus) })
        else { return nil }
        self.bucket = bucket.number
        self.skus = skus
        if let epoch = values[0].int, let n = values[2].int {
            id = OutboxID(epoch: Epoch(rawValue: epoch), n: n)
        } else {
            id = nil
        }
        state = values[1].string ?? ""
        lineageHolds = values[3].int == 1
        outboxEnd = values[4].string.flatMap { OutboxID($0) }
        act = values[5].int ?? 0
        sale = values[6].string.flatMap { $0.isEmpty ? nil : SaleIdentity(rawValue: $0) }
    }

    /// Three lines for each SKU; `nil` if there are more or fewer. A sale may have a million, so no line becomes a value of its own.
    private static func read(_ text: UnsafeRawBufferPointer, _ numbers: [SKUNumber]) -> [SKU]? {
        var skus: [SKU] = []
        skus.reserveCapacity(numbers.count)
        var words = ByteWords(text)
        for number in numbers {
            guard let stock = words.next(endedBy: UInt8(ascii: "\n")),
                let control = words.next(endedBy: UInt8(ascii: "\n")),
                let entries = words.next(endedBy: UInt8(ascii: "\n"))
            else { return nil }
            skus.append(
                SKU(
                    sku: number, stock: Int64(decimal: stock), control: SKUControl(control),
                    ledgerEntries: max(0, (Int64(decimal: entries) ?? 0) - 1)))
        }
        return numbers.isEmpty ? (text.isEmpty ? skus : nil) : (words.isAtEnd ? skus : nil)
    }

    /// What, seen from Redis alone, says that the bucket must be recovered.
    public var damage: FenceReason? {
        guard let id else { return .noControl }
        guard lineageHolds else { return .lineage }
        if state == "recovering" { return .recovering }
        guard state == "open" || state == "halted" || state == "closed" else { return .badState }
        guard let outboxEnd else { return .noOutbox }
        if outboxEnd != id { return .reusedID }
        for sku in skus {
            if let damage = sku.damage { return damage }
        }
        return nil
    }

    /// The first SKU whose numbers are missing or do not add up.
    public var damagedSKU: SKU? { skus.first { $0.damage != nil } }
}

/// A SKU's control, the ledger field `#`: `allocated version taken frozen n`, and behind it the limit per buyer if there is one.
public struct SKUControl: Sendable, Hashable {
    public let allocated: Int64
    public let version: Int64
    public let taken: Int64
    public let frozen: Bool
    public let n: Int64
    /// Units that one buyer may hold; `nil`: any number.
    public let limitPerBuyer: Int64?

    public init?(_ text: String) {
        var text = text
        guard let control = text.withUTF8({ SKUControl(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = control
    }

    /// - Parameter text: its bytes.
    public init?(_ text: UnsafeRawBufferPointer) {
        var words = ByteWords(text)
        guard let allocated = words.nextNumber(), let version = words.nextNumber(), let taken = words.nextNumber(),
            let frozen = words.nextWord(), frozen.count == 1,
            frozen[0] == UInt8(ascii: "0") || frozen[0] == UInt8(ascii: "1"),
            let n = words.nextNumber()
        else { return nil }
        self.allocated = allocated
        self.version = version
        self.taken = taken
        self.frozen = frozen[0] == UInt8(ascii: "1")
        self.n = n
        guard let limit = words.nextWord() else {
            limitPerBuyer = nil
            return
        }
        guard let limit = Int64(decimal: limit), words.nextWord() == nil else { return nil }
        limitPerBuyer = limit
    }
}

/// Takes bytes apart without copying them.
private struct ByteWords {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    /// Whether the last line was taken, which no separator ends.
    private(set) var isAtEnd = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// What stands before the next separator, perhaps nothing; `nil` after the last.
    mutating func next(endedBy separator: UInt8) -> UnsafeRawBufferPointer? {
        if isAtEnd { return nil }
        let start = position
        while position < bytes.count, bytes[position] != separator { position += 1 }
        let word = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
        if position == bytes.count { isAtEnd = true } else { position += 1 }
        return word
    }

    /// The next word between spaces; `nil` if there is none.
    mutating func nextWord() -> UnsafeRawBufferPointer? {
        while let word = next(endedBy: UInt8(ascii: " ")) {
            if !word.isEmpty { return word }
        }
        return nil
    }

    mutating func nextNumber() -> Int64? { nextWord().flatMap { Int64(decimal: $0) } }
}

extension Int64 {
    /// A sign or none, then digits and nothing else, as `Int64.init(_: String)` reads them.
    init?(decimal text: UnsafeRawBufferPointer) {
        guard let first = text.first else { return nil }
        let isNegative = first == UInt8(ascii: "-")
        var position = isNegative || first == UInt8(ascii: "+") ? 1 : 0
        guard position < text.count else { return nil }
        var value: Int64 = 0
        while position < text.count {
            let digit = Int64(text[position]) - Int64(UInt8(ascii: "0"))
            guard (0...9).contains(digit) else { return nil }
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) =
                isNegative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
            if tooLarge || overflow { return nil }
            value = sum
            position += 1
        }
        self = value
    }
}
