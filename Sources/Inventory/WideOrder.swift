/// An order whose SKUs lie in several buckets: one flow, one group of lines for each bucket, all groups or none.
///
/// Redis takes each group by itself, as an `Order` of its bucket that names the whole in `wide`. The digest covers all lines, so
/// that the same flow with another payload is a conflict in whichever bucket it meets the order, even where that bucket's
/// lines are equal.
public final class WideOrder: Sendable, Hashable {
    /// The lines of one bucket.
    public struct Group: Hashable, Sendable {
        public let bucket: BucketNumber
        /// Sorted by SKU, no SKU twice.
        public let lines: [OrderLine]

        public init(bucket: BucketNumber, lines: [OrderLine]) {
            self.bucket = bucket
            self.lines = lines
        }
    }

    public static let groupCountMax = Order.lineCountMax

    public let flow: FlowID
    /// At least two, sorted by bucket, no bucket twice.
    public let groups: [Group]
    /// Who buys; a SKU that is limited per buyer is not sold without.
    public let buyer: BuyerID?
    public let digest: OrderDigest

    /// An order read back from a store or an outbox entry; `nil` for groups that are none of an order over several buckets.
    public init?(trustedFlow flow: FlowID, sortedGroups groups: [Group], buyer: BuyerID? = nil) {
        let lineCount = groups.reduce(0) { $0 + $1.lines.count }
        guard groups.count >= 2, lineCount <= Order.lineCountMax, groups.allSatisfy({ !$0.lines.isEmpty }),
            zip(groups, groups.dropFirst()).allSatisfy({ $0.bucket < $1.bucket })
        else { return nil }
        self.flow = flow
        self.groups = groups
        self.buyer = buyer
        digest = OrderDigest(groups: groups, buyer: buyer)
    }

    /// Each group as an order of its bucket, in the order of `groups`.
    public var orders: [Order] { groups.indices.map { Order(group: $0, of: self) } }

    /// The group of a bucket; `nil` if the order has none there.
    public func order(in bucket: BucketNumber) -> Order? {
        groups.firstIndex { $0.bucket == bucket }.map { Order(group: $0, of: self) }
    }

    /// The bucket under which SQL keeps the order's one row: the first.
    public var home: BucketNumber { groups[0].bucket }

    public static func == (left: WideOrder, right: WideOrder) -> Bool {
        left === right || (left.flow == right.flow && left.buyer == right.buyer && left.groups == right.groups)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(flow)
        hasher.combine(digest)
    }
}

extension Order {
    /// Takes an order as given, wherever its SKUs lie. One over several buckets comes as its first group: its `wide` says the rest,
    /// and whoever deducts, pays or cancels it does so with the whole.
    ///
    /// - Throws: `OrderError` as `init(flow:lines:catalogue:)`, except `.severalBuckets`.
    public static func across(
        flow: FlowID, lines: [OrderLine], catalogue: Catalogue, buyer: BuyerID? = nil
    ) throws(OrderError) -> Order {
        let buckets = Set(lines.compactMap { catalogue[$0.sku]?.bucket })
        guard buckets.count > 1 else { return try Order(flow: flow, lines: lines, catalogue: catalogue, buyer: buyer) }
        guard lines.count <= lineCountMax else { throw .tooManyLines(lines.count) }
        var groups: [WideOrder.Group] = []
        for bucket in buckets.sorted() {
            // A SKU that no catalogue has goes to the first group, which is then refused.
            let mine = lines.filter { (catalogue[$0.sku]?.bucket ?? buckets.min()!) == bucket }
            let group = try Order(flow: flow, lines: mine, catalogue: catalogue)
            groups.append(.init(bucket: bucket, lines: Array(group.lines)))
        }
        return WideOrder(trustedFlow: flow, sortedGroups: groups, buyer: buyer)!.orders[0]
    }

    /// Every group of the order; of one within a bucket, itself.
    public var groups: [Order] { wide?.orders ?? [self] }

    /// Units over the lines of every bucket.
    public var allUnits: Int64 { allLines.reduce(0) { $0 + Int64($1.quantity) } }

    /// The same lines under another flow.
    public func again(under flow: FlowID) -> Order {
        wide.flatMap { WideOrder(trustedFlow: flow, sortedGroups: $0.groups, buyer: buyer)?.order(in: bucket) }
            ?? Order(trustedFlow: flow, bucket: bucket, sortedLines: lines, buyer: buyer)
    }

    /// The lines of every bucket.
    public var allLines: [OrderLine] { wide?.groups.flatMap(\.lines) ?? Array(lines) }
}

// MARK: Packed

extension WideOrder {
    /// Appends the groups: their number 1 · for each: bucket 4 · lines 1 · for each line: SKU number 4 · quantity 4. Little endian.
    public func appendGroups(to buffer: inout [UInt8]) {
        func append(_ value: Int32) { withUnsafeBytes(of: value.littleEndian) { buffer.append(contentsOf: $0) } }
        buffer.append(UInt8(groups.count))
        for group in groups {
            append(group.bucket.rawValue)
            buffer.append(UInt8(group.lines.count))
            for line in group.lines {
                append(line.sku.rawValue)
                append(line.quantity)
            }
        }
    }

    /// Reads groups as `appendGroups` wrote them, and moves `position` behind them; `nil` for anything else. The buyer stands
    /// elsewhere, wherever groups are kept.
    public static func read(
        flow: FlowID, _ bytes: [UInt8], at position: inout Int, buyer: BuyerID? = nil
    ) -> WideOrder? {
        func byte() -> Int? {
            guard position < bytes.count else { return nil }
            defer { position += 1 }
            return Int(bytes[position])
        }
        func number() -> Int32? {
            guard position + 4 <= bytes.count else { return nil }
            defer { position += 4 }
            return bytes.withUnsafeBytes {
                Int32(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: Int32.self))
            }
        }
        guard let groupCount = byte(), groupCount <= groupCountMax else { return nil }
        var groups: [Group] = []
        for _ in 0..<groupCount {
            guard let bucket = number(), let lineCount = byte(), lineCount <= Order.lineCountMax else { return nil }
            var lines: [OrderLine] = []
            for _ in 0..<lineCount {
                guard let sku = number(), let quantity = number(), quantity >= 1 else { return nil }
                lines.append(OrderLine(sku: SKUNumber(rawValue: sku), quantity: quantity))
            }
            groups.append(Group(bucket: BucketNumber(rawValue: bucket), lines: lines))
        }
        return WideOrder(trustedFlow: flow, sortedGroups: groups, buyer: buyer)
    }
}
