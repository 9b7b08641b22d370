/// One SKU of an order and how many units of it.
public struct OrderLine: Hashable, Sendable {
    public let sku: SKUNumber
    /// Units, 1 … `Order.quantityMax`.
    public let quantity: Int32

    @inlinable
    public init(sku: SKUNumber, quantity: Int32) {
        self.sku = sku
        self.quantity = quantity
    }
}

/// What a buyer asks for under one flow: all lines or none. All lines lie in one bucket; what an order wants from other buckets
/// is in `wide`.
public struct Order: Hashable, Sendable {
    public static let lineCountMax = 64
    public static let quantityMax: Int32 = 1_000_000

    public let flow: FlowID
    public let bucket: BucketNumber
    /// Sorted by SKU, no SKU twice.
    public let lines: OrderLines
    /// Who buys; a SKU that is limited per buyer is not sold without.
    public let buyer: BuyerID?
    /// A short digest of bucket, lines (of every group's) and buyer: what tells a retry from another order under the same flow.
    public let digest: OrderDigest
    /// The whole order of which this is one bucket's group; `nil` for an order within one bucket.
    public let wide: WideOrder?

    /// Takes an order as given.
    ///
    /// - Throws: `OrderError` for no or too many lines, a quantity outside 1 … `quantityMax`, a SKU twice, an unknown SKU, or
    ///   SKUs of more than one bucket.
    public init(
        flow: FlowID, lines: [OrderLine], catalogue: Catalogue, buyer: BuyerID? = nil
    ) throws(OrderError) {
        guard !lines.isEmpty else { throw .noLines }
        guard lines.count <= Self.lineCountMax else { throw .tooManyLines(lines.count) }
        let sorted = lines.count == 1 ? lines : lines.sorted { $0.sku < $1.sku }
        var bucket: BucketNumber?
        var previous: SKUNumber?
        for line in sorted {
            guard let entry = catalogue[line.sku] else { throw .unknownSKU(line.sku) }
            guard line.quantity >= 1, line.quantity <= Self.quantityMax else {
                throw .quantityOutOfRange(sku: line.sku, quantity: Int64(line.quantity))
            }
            guard previous != line.sku else { throw .skuTwice(line.sku) }
            guard bucket == nil || bucket == entry.bucket else { throw .severalBuckets }
            previous = line.sku
            bucket = entry.bucket
        }
        self.init(trustedFlow: flow, bucket: bucket!, sortedLines: sorted, buyer: buyer)
    }

    /// An order read back from a store or an outbox entry, where it was checked when it was made.
    public init(
        trustedFlow flow: FlowID, bucket: BucketNumber, sortedLines lines: [OrderLine], buyer: BuyerID? = nil
    ) {
        self.init(trustedFlow: flow, bucket: bucket, sortedLines: OrderLines(lines), buyer: buyer)
    }

    /// The same of lines as an order holds them.
    public init(
        trustedFlow flow: FlowID, bucket: BucketNumber, sortedLines lines: OrderLines, buyer: BuyerID? = nil
    ) {
        self.flow = flow
        self.bucket = bucket
        self.lines = lines
        self.buyer = buyer
        self.digest = OrderDigest(bucket: bucket, lines: lines, buyer: buyer)
        wide = nil
    }

    /// One group of an order over several buckets.
    init(group: Int, of wide: WideOrder) {
        flow = wide.flow
        bucket = wide.groups[group].bucket
        lines = OrderLines(wide.groups[group].lines)
        buyer = wide.buyer
        digest = wide.digest
        self.wide = wide
    }

    /// Units over all lines.
    public var units: Int64 { lines.reduce(0) { $0 + Int64($1.quantity) } }
}

/// Why an order was not taken as asked.
public enum OrderError: Error, Hashable, Sendable, CustomStringConvertible {
    case noLines
    case tooManyLines(Int)
    case quantityOutOfRange(sku: SKUNumber, quantity: Int64)
    case skuTwice(SKUNumber)
    case unknownSKU(SKUNumber)
    case severalBuckets

    public var description: String {
        switch self {
        case .noLines: "the order has no lines; name at least one SKU"
        case .tooManyLines(let count): "the order has \(count) lines; at most \(Order.lineCountMax) are taken"
        case .quantityOutOfRange(let sku, let quantity):
            "SKU number \(sku.rawValue): quantity \(quantity) is outside 1 … \(Order.quantityMax)"
        case .skuTwice(let sku):
            "SKU number \(sku.rawValue) stands twice in the order; add its quantities up in one line"
        case .unknownSKU(let sku): "SKU number \(sku.rawValue) is not in this sale"
        case .severalBuckets: "the order's SKUs lie in several buckets; take it as an order across buckets"
        }
    }
}

/// 36 bits of FNV-1a over bucket, lines and buyer (Fowler, Noll, Vo), written as six characters of URL-safe base 64.
///
/// It tells an honest retry from a reused flow; it is no defence against somebody who searches for collisions.
public struct OrderDigest: Hashable, Sendable {
    /// The lowest 36 bits count.
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue & 0xf_ffff_ffff }

    public init(bucket: BucketNumber, lines: OrderLines, buyer: BuyerID? = nil) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        Self.mix(bucket, lines, into: &hash)
        Self.mix(buyer, into: &hash)
        self.init(rawValue: hash ^ hash >> 36)
    }

    /// Over every group of an order over several buckets. It begins with what no bucket number is, so that no group's bytes read
    /// as another order's.
    public init(groups: [WideOrder.Group], buyer: BuyerID? = nil) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        Self.mix(UInt32.max, into: &hash)
        for group in groups {
            Self.mix(group.bucket, group.lines, into: &hash)
            Self.mix(UInt32.max, into: &hash)
        }
        Self.mix(buyer, into: &hash)
        self.init(rawValue: hash ^ hash >> 36)
    }

    private static func mix(_ value: UInt32, into hash: inout UInt64) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            hash = (hash ^ UInt64(value >> shift & 0xff)) &* 0x100_0000_01b3
        }
    }

    private static func mix(_ buyer: BuyerID?, into hash: inout UInt64) {
        guard let buyer else { return }
        // No SKU has this number: a buyer is never read as two lines more.
        mix(UInt32.max - 1, into: &hash)
        for half in [buyer.high, buyer.low] {
            mix(UInt32(truncatingIfNeeded: half >> 32), into: &hash)
            mix(UInt32(truncatingIfNeeded: half), into: &hash)
        }
    }

    private static func mix(_ bucket: BucketNumber, _ lines: some Sequence<OrderLine>, into hash: inout UInt64) {
        mix(UInt32(bitPattern: bucket.rawValue), into: &hash)
        for line in lines {
            mix(UInt32(bitPattern: line.sku.rawValue), into: &hash)
            mix(UInt32(bitPattern: line.quantity), into: &hash)
        }
    }

    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-".utf8)
    /// The digit of each byte; 255 for what is none.
    private static let digits: [UInt8] = {
        var digits = [UInt8](repeating: 255, count: 256)
        for (digit, byte) in alphabet.enumerated() { digits[Int(byte)] = UInt8(digit) }
        return digits
    }()

    /// Appends the six characters.
    public func append(to buffer: inout [UInt8]) {
        for shift in stride(from: UInt64(30), through: 0, by: -6) {
            buffer.append(Self.alphabet[Int(rawValue >> shift & 63)])
        }
    }

    /// Writes the six characters into six bytes.
    public func write(to bytes: UnsafeMutableRawBufferPointer) {
        Self.alphabet.withUnsafeBufferPointer { alphabet in
            for place in 0..<6 { bytes[place] = alphabet[Int(rawValue >> UInt64(30 - 6 * place) & 63)] }
        }
    }

    /// The six characters.
    public var bytes: [UInt8] {
        var result: [UInt8] = []
        append(to: &result)
        return result
    }

    /// Reads six characters; `nil` for anything else.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 6 else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            let digit = Self.digits[Int(byte)]
            guard digit != 255 else { return nil }
            value = value << 6 | UInt64(digit)
        }
        self.init(rawValue: value)
    }
}
