public import Inventory
import Redis

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
    /// `ss_{tag}sku`, by position in the bucket's `skus`.
    public let stocks: [[UInt8]]
    /// `sx_{tag}sku`, by position in the bucket's `skus`.
    public let ledgers: [[UInt8]]
    /// 0 … 16383.
    public let slot: Int
    private let positions: DenseIndex

    public init(bucket: Bucket, catalogue: Catalogue) {
        self.tag = bucket.tag
        let tag = "{\(bucket.tag)}"
        control = Array("sc_\(tag)".utf8)
        outbox = Array("so_\(tag)".utf8)
        let texts = bucket.skus.map { catalogue[$0]!.sku }
        stocks = texts.map { Array("ss_\(tag)\($0)".utf8) }
        ledgers = texts.map { Array("sx_\(tag)\($0)".utf8) }
        slot = HashSlot.of(control)
        positions = DenseIndex(bucket.skus.map(\.rawValue))
    }

    /// The position of a SKU within the bucket; `nil` for a SKU of another bucket.
    public func position(of sku: SKUNumber) -> Int? { positions[sku.rawValue] }
}
