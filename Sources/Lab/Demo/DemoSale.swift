public import Inventory
public import OrderStore

/// The sale of a demo: SKUs with names a person can read, spread over hash tags, with stock such that a story unfolds.
public enum DemoSale {
    /// Buckets of a demo at most.
    public static let bucketsMax = 64
    public static let skusMax = 100_000
    /// How long a reservation waits for its payment.
    public static let reservationTimeout = Duration.seconds(600)

    private static let adjectives = [
        "Trail", "Rain", "Camp", "Summit", "River", "Alpine", "Coast", "Forest", "Desert", "Glacier", "Canyon",
        "Meadow",
        "Harbor", "Granite", "Aurora", "Ember", "Cedar", "Comet", "Nomad", "Orbit",
    ]
    private static let things = [
        "Runner", "Shell", "Stove", "Headlamp", "Pack 40", "Tent 2P", "Bottle", "Jacket", "Boots", "Poles", "Watch",
        "Sleeping Bag", "Hammock", "Gloves", "Beanie", "Lantern", "Mug", "Compass", "Rope 60", "Sunglasses",
    ]

    /// How stock is dealt out.
    public enum Stock: Sendable {
        /// Every SKU the same.
        case each(Int64)
        /// For a run of `seconds` at about `ordersPerSecond`: the hottest SKUs sell out one after another through the run, the
        /// rest never do.
        case story(ordersPerSecond: Double, seconds: Double, zipfExponent: Double)
    }

    /// SKUs that sell out in a `story`.
    public static let hotCountMax = 40
    /// Units of an order's hottest line, on average (Shoppers: 0.8 × 1 + 0.15 × 2 + 0.05 × 3).
    static let unitsPerLine = 1.25

    /// A sale of `skus` SKUs; SKU 1001 is the hottest.
    public static func draft(
        name: String = "summer-drop", skus: Int, durability: Durability, stock: Stock,
        whileFenced: WhileFenced = .tryAgain, limitPerBuyer: Int64? = nil,
        reservationTimeoutMilliseconds: Int64? = nil, latePayments: LatePaymentPolicy = .refund
    ) -> SaleDraft {
        let buckets = max(1, min(bucketsMax, skus / 8))
        let units = allocations(skus: skus, stock: stock)
        return SaleDraft(
            name: name, durability: durability,
            skus: (0..<skus).map { rank in
                SaleDraft.SKU(
                    sku: "\(1_001 + rank)", name: productName(rank), tag: tag(rank % buckets), allocated: units[rank],
                    limitPerBuyer: limitPerBuyer)
            }, whileFenced: whileFenced, reservationTimeoutMilliseconds: reservationTimeoutMilliseconds,
            latePayments: latePayments)
    }

    private static func productName(_ rank: Int) -> String {
        let adjective = adjectives[(rank * 7 + rank / things.count) % adjectives.count]
        let thing = things[(rank * 3 + rank / adjectives.count) % things.count]
        let series = rank / (adjectives.count * things.count)
        return series == 0 ? "\(adjective) \(thing)" : "\(adjective) \(thing) \(series + 1)"
    }

    /// `a0` … `a9`, `b0` …
    private static func tag(_ bucket: Int) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz")
        return "\(letters[bucket / 10 % letters.count])\(bucket % 10)"
    }

    private static func allocations(skus: Int, stock: Stock) -> [Int64] {
        switch stock {
        case .each(let units): return Array(repeating: units, count: skus)
        case .story(let ordersPerSecond, let seconds, let exponent):
            let zipf = ZipfSampler(count: skus, exponent: exponent)
            let hot = min(hotCountMax, max(1, skus / 20))
            return (0..<skus).map { rank in
                let demand = ordersPerSecond * zipf.share(ofRank: rank) * unitsPerLine
                guard rank < hot else {
                    // Never: ten times what would be asked for if nothing stood in the way.
                    return max(1_000, Int64(demand * seconds * 10))
                }
                // Not in order of heat: at any moment some hot SKU is close to its end.
                let turn = Double((rank * 17 + 5) % hot) / Double(hot)
                return max(10, Int64(demand * seconds * (0.05 + 0.9 * turn)))
            }
        }
    }
}
