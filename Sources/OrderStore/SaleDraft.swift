public import Inventory

/// A sale to create.
public struct SaleDraft: Sendable {
    public struct SKU: Sendable {
        public let sku: String
        public let name: String
        public let tag: String
        /// Units given to the sale, 0 … 10^12.
        public let allocated: Int64
        /// Units that one buyer may hold, 1 or more; `nil`: any number.
        public let limitPerBuyer: Int64?
        public init(sku: String, name: String, tag: String, allocated: Int64, limitPerBuyer: Int64? = nil) {
            self.sku = sku
            self.name = name
            self.tag = tag
            self.allocated = allocated
            self.limitPerBuyer = limitPerBuyer
        }
    }
    /// What tells the sale from every other.
    public let identity: SaleIdentity
    public let name: String
    public let durability: Durability
    /// Read once, in order, while the sale is created.
    public let skus: any Sequence<SKU> & Sendable
    public let whileFenced: WhileFenced
    /// How long a reservation waits for its payment, in milliseconds, 1 or more; `nil`: for ever.
    public let reservationTimeoutMilliseconds: Int64?
    /// What becomes of a payment whose order has ended or was lost.
    public let latePayments: LatePaymentPolicy
    public init(
        name: String, durability: Durability, skus: [SKU], whileFenced: WhileFenced = .tryAgain,
        reservationTimeoutMilliseconds: Int64? = nil, latePayments: LatePaymentPolicy = .refund,
        identity: SaleIdentity = .random()
    ) {
        self.init(
            name: name, durability: durability, streaming: skus, whileFenced: whileFenced,
            reservationTimeoutMilliseconds: reservationTimeoutMilliseconds, latePayments: latePayments,
            identity: identity)
    }

    /// - Parameter skus: made as they are read, so that a very large sale is never held in memory whole.
    public init(
        name: String, durability: Durability, streaming skus: any Sequence<SKU> & Sendable,
        whileFenced: WhileFenced = .tryAgain, reservationTimeoutMilliseconds: Int64? = nil,
        latePayments: LatePaymentPolicy = .refund, identity: SaleIdentity = .random()
    ) {
        self.identity = identity
        self.whileFenced = whileFenced
        self.name = name
        self.durability = durability
        self.skus = skus
        self.reservationTimeoutMilliseconds = reservationTimeoutMilliseconds
        self.latePayments = latePayments
    }
}
