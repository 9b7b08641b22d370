/// A SKU's row number in SQL: what hot paths, outbox entries and orders carry instead of its text.
public struct SKUNumber: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: Int32
    @inlinable public init(rawValue: Int32) { self.rawValue = rawValue }
    @inlinable public static func < (left: SKUNumber, right: SKUNumber) -> Bool { left.rawValue < right.rawValue }
}

/// A bucket's row number in SQL.
public struct BucketNumber: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: Int32
    @inlinable public init(rawValue: Int32) { self.rawValue = rawValue }
    @inlinable public static func < (left: BucketNumber, right: BucketNumber) -> Bool { left.rawValue < right.rawValue }
}

/// One SKU of a sale, as it was loaded: its number, its text, its shown name, its bucket.
public struct CatalogueEntry: Hashable, Sendable {
    public let number: SKUNumber
    /// The SKU as keys write it. Any text without NUL, 1 … `Catalogue.skuBytesMax` bytes.
    public let sku: String
    /// The name that people read; from outside, so never trusted on a screen.
    public let name: String
    public let bucket: BucketNumber
    /// Units that one buyer may hold; `nil`: any number.
    public let limitPerBuyer: Int64?

    public init(
        number: SKUNumber, sku: String, name: String, bucket: BucketNumber, limitPerBuyer: Int64? = nil
    ) {
        self.number = number
        self.sku = sku
        self.name = name
        self.bucket = bucket
        self.limitPerBuyer = limitPerBuyer
    }
}

/// The SKUs of one hash tag: they share a Redis slot, so one call covers any number of them.
public struct Bucket: Hashable, Sendable {
    public let number: BucketNumber
    /// The hash tag: 1 … 64 bytes, no brace.
    public let tag: String
    /// In ascending order.
    public let skus: [SKUNumber]

    public init(number: BucketNumber, tag: String, skus: [SKUNumber]) {
        self.number = number
        self.tag = tag
        self.skus = skus
    }

    /// Its number and tag alone: for what concerns its control, however many SKUs it has.
    public var withoutSKUs: Bucket { Bucket(number: number, tag: tag, skus: []) }
}

/// The SKUs and buckets of a sale. It does not change while a sale runs.
public struct Catalogue: Sendable {
    public static let skuBytesMax = 16_384
    public static let nameBytesMax = 65_536
    public static let tagBytesMax = 64

    /// Whose they are; `nil`: nobody says.
    public let sale: SaleIdentity?
    public let entries: [CatalogueEntry]
    public let buckets: [Bucket]
    private let entryPositions: DenseIndex
    private let bucketPositions: DenseIndex

    /// Takes entries and the tag of each bucket; buckets without entries are dropped.
    public init(entries: [CatalogueEntry], tags: [BucketNumber: String], sale: SaleIdentity? = nil) {
        self.sale = sale
        // As a store reads them; a sorted copy of a million would be held beside them.
        let isSorted = zip(entries, entries.dropFirst()).allSatisfy { $0.number < $1.number }
        self.entries = isSorted ? entries : entries.sorted { $0.number < $1.number }
        var members: [BucketNumber: [SKUNumber]] = [:]
        for entry in self.entries { members[entry.bucket, default: []].append(entry.number) }
        buckets = members.keys.sorted().map { Bucket(number: $0, tag: tags[$0] ?? "", skus: members[$0]!) }
        entryPositions = DenseIndex(self.entries.map(\.number.rawValue))
        bucketPositions = DenseIndex(buckets.map(\.number.rawValue))
    }

    public subscript(_ number: SKUNumber) -> CatalogueEntry? { entryPositions[number.rawValue].map { entries[$0] } }
    public subscript(_ number: BucketNumber) -> Bucket? { bucketPositions[number.rawValue].map { buckets[$0] } }
    /// The position of a bucket in `buckets`.
    public func position(of bucket: BucketNumber) -> Int? { bucketPositions[bucket.rawValue] }
    /// The position of a SKU in `entries`.
    public func position(of sku: SKUNumber) -> Int? { entryPositions[sku.rawValue] }
    /// The number of the SKU that keys write as `sku`; looks at all of them.
    public func number(ofSKU sku: String) -> SKUNumber? {
        entries.first { $0.sku.utf8.elementsEqual(sku.utf8) }?.number
    }

    /// Whether `tag` can be a hash tag: not empty, no brace, at most `tagBytesMax` bytes.
    public static func isValidTag(_ tag: String) -> Bool {
        !tag.isEmpty && tag.utf8.count <= tagBytesMax && !tag.utf8.contains { $0 == 0x7b || $0 == 0x7d }
    }
}
