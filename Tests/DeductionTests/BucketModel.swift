import Deduction
import Inventory
import OrderStore

/// What a bucket must be, said plainly: what the scripts are held against.
struct BucketModel {
    struct Entry: Equatable {
        var quantity: Int64
        var cancelled: Bool
        var n: Int64
        var digest: OrderDigest
    }

    struct SKU: Equatable {
        var stock: Int64
        var allocated: Int64
        var version: Int64
        var taken: Int64
        var frozen: Bool
        var ledger: [FlowID: Entry] = [:]
        /// Units that one buyer may hold; `nil`: any number.
        var limitPerBuyer: Int64?
        /// What buyers hold where there is a limit.
        var held: [BuyerID: Int64] = [:]
        /// Fields of the ledger besides its control.
        var fields: Int { ledger.count + held.count }
    }

    var skus: [SKUNumber: SKU] = [:]
    var n: Int64 = 0
    var state = SaleState.open
    /// The number of the last act on state or frozen flags.
    var act: Int64 = 0
    /// Flows made before this moment are not taken any more.
    var watermark: UInt64?

    enum Answer: Equatable {
        case letters(String)
        case fenced(FenceReason)
    }

    /// Deducts each order whole or not at all, in order. A call that changes anything is one entry.
    mutating func deduct(_ orders: [Order]) -> Answer {
        guard state == .open else { return .fenced(fence) }
        var letters = ""
        var done = false
        var inThisCall: [FlowID: OrderDigest] = [:]
        for order in orders {
            if let digest = inThisCall[order.flow] {
                letters += digest == order.digest ? "d" : "C"
                continue
            }
            switch recorded(order) {
            case .another: letters += "C"
            // No call leaves this behind, so the walk ends here.
            case .partly: return .fenced(.damaged)
            case .whole(let entry): letters += entry.cancelled ? "X" : "d"
            case .absent where isOld(order.flow): letters += "O"
            case .absent:
                if let letter = shortfall(order) ?? overLimit(order) {
                    letters += letter
                } else {
                    letters += "D"
                    done = true
                    inThisCall[order.flow] = order.digest
                    write(order, cancelled: false)
                    move(order, by: 1)
                }
            }
        }
        if done { n += 1 }
        return .letters(letters)
    }

    /// Gives each order back, or forbids its flow.
    mutating func release(_ orders: [Order]) -> Answer {
        var letters = ""
        var done = false
        var inThisCall: [FlowID: OrderDigest] = [:]
        for order in orders {
            if let digest = inThisCall[order.flow] {
                letters += digest == order.digest ? "r" : "C"
                continue
            }
            switch recorded(order) {
            case .another: letters += "C"
            // No call leaves this behind, so the walk ends here.
            case .partly: return .fenced(.damaged)
            case .whole(let entry) where entry.cancelled: letters += "r"
            case .whole(let entry):
                // An over-capacity row holds no units: there is nothing to give back.
                letters += entry.quantity > 0 ? "R" : "T"
                if entry.quantity > 0 { move(order, by: -1) }
                forbid(order)
                inThisCall[order.flow] = order.digest
                done = true
            case .absent:
                letters += "T"
                forbid(order)
                inThisCall[order.flow] = order.digest
                done = true
            }
        }
        if done { n += 1 }
        return .letters(letters)
    }

    mutating func restock(_ sku: SKUNumber, from version: Int64, units: Int64) -> String {
        if skus[sku]!.version > version { return "r" }
        if skus[sku]!.version < version { return "G" }
        skus[sku]!.version += 1
        n += 1
        // Taken back are all of them or none, and what was refused once is refused for good.
        if skus[sku]!.stock + units < 0 { return "S" }
        skus[sku]!.allocated += units
        skus[sku]!.stock += units
        return "R"
    }

    /// What the acts up to a number make of the bucket; an older number changes nothing.
    mutating func tell(_ control: BucketControl) -> String {
        if control.act < act { return "N" }
        let isKnown =
            control.act == act && state == control.saleState
            && skus.allSatisfy { $1.frozen == control.frozen.contains($0) }
        if isKnown { return "r" }
        state = control.saleState
        act = control.act
        for sku in skus.keys { skus[sku]!.frozen = control.frozen.contains(sku) }
        n += 1
        return "R"
    }

    /// Takes orders that SQL calls settled out of the ledgers. Returns how many fields went.
    mutating func archive(_ orders: [ArchivableOrder], below flow: FlowID) -> Int64 {
        watermark = max(watermark ?? 0, flow.milliseconds)
        var removed: Int64 = 0
        for order in orders where isOld(order.flow) {
            for sku in order.skus where skus[sku]!.ledger.removeValue(forKey: order.flow) != nil { removed += 1 }
        }
        return removed
    }

    private func isOld(_ flow: FlowID) -> Bool { watermark.map { flow.milliseconds < $0 } ?? false }

    /// A tombstone; below the watermark none is needed, and what was there goes.
    private mutating func forbid(_ order: Order) {
        guard isOld(order.flow) else { return write(order, cancelled: true) }
        for line in order.lines { skus[line.sku]!.ledger[order.flow] = nil }
    }

    private func overLimit(_ order: Order) -> String? {
        for line in order.lines {
            guard let limit = skus[line.sku]!.limitPerBuyer else { continue }
            guard let buyer = order.buyer else { return "L" }
            if (skus[line.sku]!.held[buyer] ?? 0) + Int64(line.quantity) > limit { return "L" }
        }
        return nil
    }

    private var fence: FenceReason { state == .closed ? .closed : .halted }

    private enum Recorded {
        case absent, another, partly
        case whole(Entry)
    }

    /// What the ledgers of the order's own SKUs say of its flow: they see no other.
    private func recorded(_ order: Order) -> Recorded {
        let entries = order.lines.map { skus[$0.sku]!.ledger[order.flow] }
        if entries.contains(where: { $0 != nil && $0!.digest != order.digest }) { return .another }
        guard let first = entries[0] else { return entries.allSatisfy { $0 == nil } ? .absent : .partly }
        return entries.allSatisfy { $0 != nil } ? .whole(first) : .partly
    }

    /// The first line that cannot be served decides.
    private func shortfall(_ order: Order) -> String? {
        for line in order.lines {
            if skus[line.sku]!.frozen { return "F" }
            if Int64(line.quantity) > skus[line.sku]!.stock { return "S" }
        }
        return nil
    }

    private mutating func write(_ order: Order, cancelled: Bool) {
        for line in order.lines {
            skus[line.sku]!.ledger[order.flow] = Entry(
                quantity: Int64(line.quantity), cancelled: cancelled, n: n + 1, digest: order.digest)
        }
    }

    private mutating func move(_ order: Order, by sign: Int64) {
        for line in order.lines {
            skus[line.sku]!.taken += sign * Int64(line.quantity)
            skus[line.sku]!.stock -= sign * Int64(line.quantity)
            guard skus[line.sku]!.limitPerBuyer != nil, let buyer = order.buyer else { continue }
            let units = (skus[line.sku]!.held[buyer] ?? 0) + sign * Int64(line.quantity)
            skus[line.sku]!.held[buyer] = units > 0 ? units : nil
        }
    }
}
