import Inventory
import OrderStore

/// The sale that the rig runs: few SKUs in few buckets, so that every one is fought for, some of which sell out again and again.
struct TortureSale: Sendable {
    struct SKU: Sendable {
        let number: SKUNumber
        let text: String
        let allocated: Int64
        let isHot: Bool
        /// Units that one buyer may hold; `nil`: as many as there are.
        let limitPerBuyer: Int64?
    }

    struct Bucket: Sendable {
        let tag: String
        let skus: [SKU]
    }

    static let bucketCount = 6
    /// Units of the SKUs of a bucket: one that sells out at once, one that does in the middle, and two that never do.
    static let units: [Int64] = [60, 900, 500_000, 500_000]

    /// Of a hot SKU, where a sale limits it.
    static let unitsPerBuyerMax: Int64 = 4
    /// People behind the orders: few enough that they meet their limits.
    static let people: UInt64 = 200

    let buckets: [Bucket]
    let durability: Durability
    /// How long a reservation waits for its payment; `nil`: for ever.
    let reservationTimeoutMilliseconds: Int64?
    let latePayments: LatePaymentPolicy
    /// How long flows stay in Redis's ledgers once they are settled; `nil`: longer than a round.
    let horizonSeconds: Int?

    /// SKU numbers as a new order store deals them out: in the order of the draft, from 1.
    ///
    /// - Parameter seed: decides how long reservations wait, and what becomes of a payment that comes too late.
    init(durability: Durability, seed: UInt64) {
        self.durability = durability
        reservationTimeoutMilliseconds = seed % 2 == 0 ? 4_000 : nil
        horizonSeconds = seed % 5 == 0 ? 6 : nil
        latePayments = seed % 4 < 2 ? .refund : .reserveAgain
        var next: Int32 = 0
        buckets = (0..<Self.bucketCount).map { bucket in
            Bucket(
                tag: "t\(bucket)",
                skus: Self.units.enumerated().map { position, units in
                    next += 1
                    return SKU(
                        number: SKUNumber(rawValue: next), text: "s\(next)", allocated: units, isHot: position == 0,
                        limitPerBuyer: position == 0 && seed % 3 == 1 ? Self.unitsPerBuyerMax : nil)
                })
        }
    }

    var skus: [SKU] { buckets.flatMap(\.skus) }

    var draft: SaleDraft {
        SaleDraft(
            name: "torture", durability: durability,
            skus: buckets.flatMap { bucket in
                bucket.skus.map {
                    SaleDraft.SKU(
                        sku: $0.text, name: "SKU \($0.text)", tag: bucket.tag, allocated: $0.allocated,
                        limitPerBuyer: $0.limitPerBuyer)
                }
            }, reservationTimeoutMilliseconds: reservationTimeoutMilliseconds, latePayments: latePayments)
    }
}
