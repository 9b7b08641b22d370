public import Inventory
public import Redis

/// The Redis keys of one bucket, as bytes ready to send.
///
/// The braces are real hash tags, so all keys of a bucket lie in one slot and one script may touch any of them.
public struct BucketKeys: Sendable {
    /// What stands between their braces.
    public let tag: String
    /// `sc_{tag}`
    public let control: [UInt8]
    /// `so_{tag}`
    public let outbox: [UInt8]
    /// 0 … 16383.
    public let slot: Int
    /// A stock and a ledger for each SKU.
    private let pairs: ArgumentGroups
    private let positions: DenseIndex

    public init(bucket: Bucket, catalogue: Catalogue) {
        self.tag = bucket.tag
        let tag = "{\(bucket.tag)}"
        control = Array("sc_\(tag)".utf8)
        outbox = Array("so_\(tag)".utf8)
        slot = HashSlot.of(control)
        let stock = Array("ss_\(tag)".utf8)
        let ledger = Array("sx_\(tag)".utf8)
        // "$22\r\n" before each and a line end behind it.
        var bytes = 0
        for sku in bucket.skus { bytes += 2 * (catalogue[sku]!.sku.utf8.count + stock.count + 8) }
        var pairs = ArgumentGroups(groupSize: 2, groups: bucket.skus.count, capacity: bytes)
        for sku in bucket.skus {
            let text = catalogue[sku]!.sku
            pairs.append(stock, text)
            pairs.append(ledger, text)
        }
        self.pairs = pairs
        positions = DenseIndex(bucket.skus.map(\.rawValue))
    }

    /// SKUs of the bucket.
    public var count: Int { pairs.count }
    /// Bytes that stocks and ledgers of all take in a call.
    public var encodedBytes: Int { pairs.encodedBytes }
    /// `ss_{tag}sku`, by position in the bucket's `skus`. For calls that carry them: `ScriptCall.append(_:_:)`.
    public var stocks: Keys { Keys(pairs: pairs, position: 0) }
    /// `sx_{tag}sku`, by position in the bucket's `skus`.
    public var ledgers: Keys { Keys(pairs: pairs, position: 1) }

    /// The position of a SKU within the bucket; `nil` for a SKU of another bucket.
    public func position(of sku: SKUNumber) -> Int? { positions[sku.rawValue] }

    /// Keys of one kind, each made when it is asked for.
    public struct Keys: RandomAccessCollection, Sendable {
        fileprivate let pairs: ArgumentGroups
        fileprivate let position: Int

        public var startIndex: Int { 0 }
        public var endIndex: Int { pairs.count }
        public subscript(position: Int) -> [UInt8] { pairs.argument(self.position, ofGroup: position) }
    }

    fileprivate func append(to call: inout ScriptCall, _ positions: Range<Int>) { call.append(pairs, positions) }
}

extension ScriptCall {
    /// Appends stock and ledger of the SKU at a position of a bucket: two keys.
    public mutating func append(_ keys: BucketKeys, at position: Int) {
        keys.append(to: &self, position..<position + 1)
    }
    /// Appends stock and ledger of every SKU at some positions of a bucket.
    public mutating func append(_ keys: BucketKeys, at positions: Range<Int>) { keys.append(to: &self, positions) }
    /// Appends every key of a bucket: control, outbox, then stock and ledger of each SKU.
    public mutating func append(all keys: BucketKeys) {
        append(keys.control)
        append(keys.outbox)
        append(keys, at: 0..<keys.count)
    }
}
