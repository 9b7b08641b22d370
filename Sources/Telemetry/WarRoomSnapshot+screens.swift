public import Inventory

// What the large screens show beyond the overview.

extension WarRoomSnapshot {
    /// A bucket: what its hash tag holds, where it lies, how it does.
    public struct Bucket: Sendable, Hashable {
        public var tag: String
        /// 0 … 16,383
        public var slot: Int
        /// Position in `nodes`; `nil` while its slot is nobody's.
        public var node: Int?
        public var ordersPerSecond: Double
        public var skuCount: Int
        /// Its hottest SKUs, hottest first, at most four.
        public var skus: [String]
        public var fenced: Bool
        /// Why it is fenced, in a few words.
        public var fence: String?
        /// As SQL has it; `nil`: not read yet.
        public var epoch: Int64?
        /// Outbox entries that SQL does not have.
        public var backlog: Int64

        public init(
            tag: String, slot: Int, node: Int?, ordersPerSecond: Double = 0, skuCount: Int = 0, skus: [String] = [],
            fenced: Bool = false, fence: String? = nil, epoch: Int64? = nil, backlog: Int64 = 0
        ) {
            self.tag = tag
            self.slot = slot
            self.node = node
            self.ordersPerSecond = ordersPerSecond
            self.skuCount = skuCount
            self.skus = skus
            self.fenced = fenced
            self.fence = fence
            self.epoch = epoch
            self.backlog = backlog
        }
    }

    /// What one comparison found.
    public struct DriftPoint: Sendable, Hashable {
        public var atMilliseconds: UInt64
        public var units: Int64
        /// Kinds that differ by something.
        public var byKind: [DriftKind: Int64]
        public init(atMilliseconds: UInt64, units: Int64, byKind: [DriftKind: Int64]) {
            self.atMilliseconds = atMilliseconds
            self.units = units
            self.byKind = byKind
        }
    }

    /// Orders in SQL by how they stand.
    public struct OrderCounts: Sendable, Hashable {
        public var reserved: Int64 = 0
        public var sold: Int64 = 0
        public var cancelled: Int64 = 0
        public var expired: Int64 = 0
        public var void: Int64 = 0
        public var overCapacity: Int64 = 0
        public var partial: Int64 = 0
        public init() {}
    }

    /// Series beside those of the overview; one value a second, oldest first, at most 120, or as said.
    public struct Series: Sendable, Hashable {
        /// Outbox entries that SQL does not have.
        public var backlog: [Float] = []
        /// From call to SQL, 99th percentile, milliseconds.
        public var lag: [Float] = []
        /// Bytes that all masters use, one value every 2 s.
        public var memory: [Float] = []
        /// Comparisons, oldest first, at most 120.
        public var drift: [DriftPoint] = []
        public init() {}
    }
}
