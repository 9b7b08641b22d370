public import Inventory

/// The packed payload of an outbox entry, also what deduct and release are called with. Little endian:
///
/// ```
/// offset  bytes  field
/// 0       1      version = 1
/// 1       1      kind: 1 deduct · 2 release · 3 restock · 4 freeze · 5 state · 6 repair; bit 6: some order names its buyer;
///                bit 7: a section on orders over several buckets stands at the end
/// 2       6      Unix milliseconds at which the call was formed
/// 8       2      number of orders (kinds 1 and 2), else 0
/// 10             kinds 1 and 2, for each order: flow 16 · digest 6 · lines 1 · for each line: SKU number 4 · quantity 4
///                then, with bit 6, for each order: buyer 16, zero for nobody
///                kind 3: SKU number 4 · version before 8 · units 8 (signed; below 0: taken off sale again)
///                kind 4: SKU number 4 · frozen 1
///                kind 5: nothing
///                kind 6: SKU number 4 · delta that SQL must book 8 (signed)
/// end            bit 7: number of orders over several buckets 2 · for each: its place among the orders 2 · its groups, as
///                `WideOrder.appendGroups` writes them. The scripts never read this far.
/// ```
/// The stream entry has two fields: `o`, this blob, and `r`, a letter for each order (see deduct.lua and release.lua). The
/// entry `<epoch>-0` that an opening writes has an empty blob.
public struct OutboxBlob: Sendable, Hashable {
    public enum Payload: Sendable, Hashable {
        case deduct([Order])
        case release([Order])
        case restock(sku: SKUNumber, fromVersion: Int64, units: Int64)
        case freeze(sku: SKUNumber, frozen: Bool)
        case state
        case repair(sku: SKUNumber, delta: Int64)
    }

    public static let version: UInt8 = 1
    /// In the kind: the orders are followed by their buyers.
    static let buyersFlag: UInt8 = 0x40
    public static let headerBytes = 10
    /// Orders in one entry at most: the count is 16 bits, Lua's stack less.
    public static let orderCountMax = 4_096

    public let milliseconds: UInt64
    public let payload: Payload

    public init(milliseconds: UInt64, payload: Payload) {
        self.milliseconds = milliseconds
        self.payload = payload
    }

    /// The bytes as laid out above.
    public var bytes: [UInt8] {
        var buffer: [UInt8] = []
        switch payload {
        case .deduct(let orders): Self.append(orders: orders, kind: 1, milliseconds: milliseconds, to: &buffer)
        case .release(let orders): Self.append(orders: orders, kind: 2, milliseconds: milliseconds, to: &buffer)
        case .restock(let sku, let fromVersion, let units):
            Self.appendHeader(kind: 3, milliseconds: milliseconds, count: 0, to: &buffer)
            Self.append(UInt32(bitPattern: sku.rawValue), to: &buffer)
            Self.append(UInt64(bitPattern: fromVersion), to: &buffer)
            Self.append(UInt64(bitPattern: units), to: &buffer)
        case .freeze(let sku, let frozen):
            Self.appendHeader(kind: 4, milliseconds: milliseconds, count: 0, to: &buffer)
            Self.append(UInt32(bitPattern: sku.rawValue), to: &buffer)
            buffer.append(frozen ? 1 : 0)
        case .state: Self.appendHeader(kind: 5, milliseconds: milliseconds, count: 0, to: &buffer)
        case .repair(let sku, let delta):
            Self.appendHeader(kind: 6, milliseconds: milliseconds, count: 0, to: &buffer)
            Self.append(UInt32(bitPattern: sku.rawValue), to: &buffer)
            Self.append(UInt64(bitPattern: delta), to: &buffer)
        }
        return buffer
    }

    static func append<Value: FixedWidthInteger>(_ value: Value, to buffer: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { buffer.append(contentsOf: $0) }
    }

    private static func appendHeader(kind: UInt8, milliseconds: UInt64, count: Int, to buffer: inout [UInt8]) {
        buffer.append(version)
        buffer.append(kind)
        withUnsafeBytes(of: milliseconds.littleEndian) { buffer.append(contentsOf: $0[0..<6]) }
        append(UInt16(count), to: &buffer)
    }

    private static func append(orders: [Order], kind: UInt8, milliseconds: UInt64, to buffer: inout [UInt8]) {
        precondition(orders.count <= orderCountMax)
        buffer.reserveCapacity(headerBytes + orders.count * 31)
        let namesBuyers = orders.contains { $0.buyer != nil }
        appendHeader(
            kind: kind | (namesBuyers ? buyersFlag : 0), milliseconds: milliseconds, count: orders.count, to: &buffer)
        for order in orders {
            order.flow.append(to: &buffer)
            order.digest.append(to: &buffer)
            buffer.append(UInt8(order.lines.count))
            for line in order.lines {
                append(UInt32(bitPattern: line.sku.rawValue), to: &buffer)
                append(UInt32(bitPattern: line.quantity), to: &buffer)
            }
        }
        if namesBuyers {
            for order in orders {
                if let buyer = order.buyer {
                    buyer.append(to: &buffer)
                } else {
                    buffer.append(contentsOf: repeatElement(0, count: 16))
                }
            }
        }
        appendWideSection(orders, to: &buffer)
    }

    /// Reads a blob of `bucket`; `nil` for anything that is not one, to the last byte: such an entry is a dead letter.
    public init?(bytes: [UInt8], bucket: BucketNumber) {
        var reader = Reader(bytes: bytes)
        guard reader.integer(UInt8.self) == Self.version, let kindAndFlags = reader.integer(UInt8.self),
            let low = reader.integer(UInt32.self), let high = reader.integer(UInt16.self),
            let count = reader.integer(UInt16.self)
        else { return nil }
        milliseconds = UInt64(high) << 32 | UInt64(low)
        let kind = kindAndFlags & ~(Self.wideFlag | Self.buyersFlag)
        let hasWideSection = kindAndFlags & Self.wideFlag != 0
        let namesBuyers = kindAndFlags & Self.buyersFlag != 0
        guard kind == kindAndFlags || kind <= 2 else { return nil }
        switch kind {
        case 1, 2:
            var digests: [Int: OrderDigest] = [:]
            guard var orders = reader.orders(Int(count), bucket: bucket, nameBuyers: namesBuyers, strange: &digests),
                hasWideSection ? reader.wideSection(&orders, digests) : digests.isEmpty
            else { return nil }
            payload = kind == 1 ? .deduct(orders) : .release(orders)
        case 3:
            guard let sku = reader.sku(), let version = reader.integer(Int64.self),
                let units = reader.integer(Int64.self)
            else { return nil }
            payload = .restock(sku: sku, fromVersion: version, units: units)
        case 4:
            guard let sku = reader.sku(), let frozen = reader.integer(UInt8.self) else { return nil }
            payload = .freeze(sku: sku, frozen: frozen == 1)
        case 5: payload = .state
        case 6:
            guard let sku = reader.sku(), let delta = reader.integer(Int64.self) else { return nil }
            payload = .repair(sku: sku, delta: delta)
        default: return nil
        }
        guard reader.isAtEnd else { return nil }
    }

    struct Reader {
        let bytes: [UInt8]
        var position = 0
        init(bytes: [UInt8]) { self.bytes = bytes }
        var isAtEnd: Bool { position == bytes.count }

        mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
            let size = MemoryLayout<Value>.size
            guard position + size <= bytes.count else { return nil }
            defer { position += size }
            return bytes.withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: type)) }
        }

        mutating func sku() -> SKUNumber? { integer(Int32.self).map(SKUNumber.init(rawValue:)) }

        /// An order as it stands in the blob, before its buyer is known.
        struct PackedOrder {
            let flow: FlowID
            let digest: OrderDigest
            let lines: [OrderLine]
        }

        /// - Parameter strange: by the orders' places, the digests that lines and buyer do not give: a group's covers what the
        ///   section at the end says.
        mutating func orders(
            _ count: Int, bucket: BucketNumber, nameBuyers: Bool, strange: inout [Int: OrderDigest]
        ) -> [Order]? {
            var packed: [PackedOrder] = []
            packed.reserveCapacity(count)
            for _ in 0..<count {
                guard let order = order() else { return nil }
                packed.append(order)
            }
            var orders: [Order] = []
            orders.reserveCapacity(count)
            for (place, some) in packed.enumerated() {
                var buyer: BuyerID?
                if nameBuyers {
                    guard let bytes = sixteenBytes() else { return nil }
                    buyer = BuyerID(high: bytes.high, low: bytes.low)
                }
                let order = Order(trustedFlow: some.flow, bucket: bucket, sortedLines: some.lines, buyer: buyer)
                if order.digest != some.digest { strange[place] = some.digest }
                orders.append(order)
            }
            return orders
        }

        private mutating func sixteenBytes() -> (high: UInt64, low: UInt64)? {
            guard position + 16 <= bytes.count else { return nil }
            defer { position += 16 }
            return bytes.withUnsafeBytes {
                (
                    UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt64.self)),
                    UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: position + 8, as: UInt64.self))
                )
            }
        }

        private mutating func order() -> PackedOrder? {
            guard let flow = sixteenBytes(), position + 7 <= bytes.count else { return nil }
            guard let digest = OrderDigest(bytes: bytes[position..<position + 6]) else { return nil }
            let lineCount = Int(bytes[position + 6])
            position += 7
            guard lineCount >= 1, lineCount <= Order.lineCountMax else { return nil }
            var lines: [OrderLine] = []
            lines.reserveCapacity(lineCount)
            for _ in 0..<lineCount {
                guard let sku = sku(), let quantity = integer(Int32.self), quantity >= 1 else { return nil }
                lines.append(OrderLine(sku: sku, quantity: quantity))
            }
            return PackedOrder(flow: FlowID(high: flow.high, low: flow.low), digest: digest, lines: lines)
        }
    }
}
