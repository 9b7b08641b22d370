import Inventory
import Telemetry

/// Tells which SKUs run low and which are sold out: each once, the first before the second, and several together, or they would drown
/// the rest. A value.
struct StockTeller {
    /// Between two sentences of a kind.
    static let pauseMilliseconds: UInt64 = 4_000
    private static let namesMax = 3

    /// What was told of a SKU, or is about to be.
    private struct Told {
        var isLow = false
        var isSoldOut = false
        /// Its allocation then: more of it is a restock, and everything is news again.
        var allocated: Int64
    }

    private var told: [SKUNumber: Told] = [:]
    private var untoldLow: [SKUNumber] = []
    private var untoldSoldOut: [SKUNumber] = []
    private var lowToldAt: UInt64 = 0
    private var soldOutToldAt: UInt64 = 0
    private var isFirst = true

    /// So much must be there before a SKU that was told of is news again: units that come back from failed payments are none, and of a
    /// small allocation one unit is a large share.
    private static func isPlenty(_ sku: WarRoomSnapshot.SKU, _ stock: Int64) -> Bool {
        Double(stock) > max(Double(sku.allocated) * max(0.25, sku.lowShare * 2), 10)
    }

    /// What is new, in sentences. What was so at the first look is none.
    mutating func tell(_ skus: [WarRoomSnapshot.SKU], milliseconds now: UInt64) -> [String] {
        for sku in skus {
            guard let stock = sku.stock, !sku.fenced, sku.allocated > 0 else { continue }
            let isLow = Double(stock) <= Double(sku.allocated) * sku.lowShare
            // A million SKUs of which there is nothing to tell need no keeping, and no looking up.
            guard stock <= 0 || isLow || !told.isEmpty else { continue }
            let before = told[sku.number]
            guard stock <= 0 || isLow || before != nil else { continue }
            var known = before ?? Told(allocated: sku.allocated)
            if known.allocated < sku.allocated || Self.isPlenty(sku, stock) { known = Told(allocated: sku.allocated) }
            if stock <= 0, !known.isSoldOut {
                (known.isSoldOut, known.isLow) = (true, true)
                if !isFirst { untoldSoldOut.append(sku.number) }
            } else if stock > 0, isLow, !known.isLow {
                known.isLow = true
                if !isFirst { untoldLow.append(sku.number) }
            }
            told[sku.number] = known.isLow ? known : nil
        }
        isFirst = false
        guard !untoldLow.isEmpty || !untoldSoldOut.isEmpty else { return [] }
        let isLowDue = !untoldLow.isEmpty && now >= lowToldAt + Self.pauseMilliseconds
        let isSoldOutDue = !untoldSoldOut.isEmpty && now >= soldOutToldAt + Self.pauseMilliseconds
        guard isLowDue || isSoldOutDue else { return [] }
        var sentences: [String] = []
        let wanted = Set(untoldLow + untoldSoldOut)
        var present: [SKUNumber: WarRoomSnapshot.SKU] = [:]
        for sku in skus where wanted.contains(sku.number) { present[sku.number] = sku }
        if isLowDue {
            // What is gone meanwhile is not low.
            let low = untoldLow.compactMap { present[$0] }.filter { ($0.stock ?? 0) > 0 }
            untoldLow = []
            if let first = low.first {
                lowToldAt = now
                let left =
                    low.count == 1 ? ", \((first.stock ?? 0).counted("unit")) left of \(first.allocated.inGroups)" : ""
                sentences.append("\(Self.names(low)): low\(left)")
            }
        }
        if isSoldOutDue {
            // What came back before it was told is told when it is gone again.
            let gone = untoldSoldOut.compactMap { present[$0] }
            for sku in gone where (sku.stock ?? 1) > 0 { told[sku.number]?.isSoldOut = false }
            untoldSoldOut = []
            let soldOut = gone.filter { ($0.stock ?? 1) <= 0 }
            if let first = soldOut.first {
                soldOutToldAt = now
                let units = soldOut.count == 1 ? ", all \(first.allocated.counted("unit"))" : ""
                sentences.append("\(Self.names(soldOut)): sold out\(units)")
            }
        }
        return sentences
    }

    private static func names(_ skus: [WarRoomSnapshot.SKU]) -> String {
        let names = skus.prefix(namesMax).map { "\($0.sku) \($0.name)" }.joined(separator: ", ")
        return names + (skus.count > namesMax ? " and \((skus.count - namesMax).counted("other"))" : "")
    }
}
