import Inventory
import Synchronization

/// What a bucket's last answers said that is surely still true a moment later: so nearly all of a flash sale's requests, which
/// are refusals, are answered without Redis.
///
/// Only first attempts are refused here, by their callers' word (`Attempt.first`). What may be a retry goes to Redis, which has
/// its own yes for it.
///
/// What was heard is trusted for `trustMilliseconds` from when it was asked: within that bound a thaw, a restock, a release by
/// another engine or a reopening reaches this one; a release by this engine does at once. From half of it on, one caller asks
/// anew for all.
///
/// Readers take no lock. Whoever writes holds the lane's, so that news of an epoch that has ended is not written over its end.
final class LocalRefusals: Sendable {
    /// Milliseconds from a question to the last refusal that rests on its answer.
    static let trustMilliseconds: UInt64 = 100
    /// Milliseconds after which somebody asks anew.
    static let askAgainMilliseconds: UInt64 = 50
    /// Buyers who are remembered to have reached a limit.
    static let limitsMax = 4_096

    private struct LimitKey: Hashable {
        let position: Int
        let buyer: BuyerID
    }

    private let cells: [NewsCell]
    private let halt = NewsCell()
    private let limits = Mutex<[LimitKey: (askedAt: UInt64, quantity: Int32)]>([:])
    private let isLimited: Bool
    private let keys: BucketKeys

    init(keys: BucketKeys, isLimited: Bool) {
        self.keys = keys
        self.isLimited = isLimited
        cells = (0..<keys.count).map { _ in NewsCell() }
    }

    /// Why a first attempt would surely be refused now; `nil`: ask Redis.
    ///
    /// - Parameter now: of `SaleClock.milliseconds`; read only where something was heard that might refuse.
    func refusal(of order: Order, now: @autoclosure () -> UInt64) -> Refusal? {
        if halt.holds(against: 1, now: now()) != nil { return .halted }
        for line in order.lines {
            guard let position = keys.position(of: line.sku) else { return nil }
            if let refusal = cells[position].holds(against: line.quantity, now: now()) { return refusal }
        }
        guard isLimited, let buyer = order.buyer, order.lines.count == 1,
            let position = keys.position(of: order.lines[0].sku)
        else { return nil }
        let quantity = order.lines[0].quantity
        let now = now()
        return limits.withLock { limits in
            guard let known = limits[LimitKey(position: position, buyer: buyer)], quantity >= known.quantity,
                now < known.askedAt + Self.trustMilliseconds
            else { return nil }
            return .limit
        }
    }

    // MARK: News

    /// Takes in what a call was answered: the units left of each of its SKUs, by `positions`, and its refusals.
    ///
    /// - Parameter askedAt: when the call was sent, of `SaleClock.milliseconds`.
    func hear(
        stocks: [Int64], positions: [Int], of call: LaneState.Call, results: [UInt8], at askedAt: UInt64
    ) {
        for (position, units) in zip(positions, stocks) {
            cells[position].hear(units: units, frozen: false, at: askedAt)
        }
        guard call.purpose == .deduct, results.count == call.tickets.count else { return }
        for (place, result) in results.enumerated()
        where result == UInt8(ascii: "F") || result == UInt8(ascii: "L") {
            let order = call.tickets[place].order
            // Of several lines it is not said which.
            guard order.lines.count == 1, let position = keys.position(of: order.lines[0].sku) else { continue }
            if result == UInt8(ascii: "F") {
                cells[position].hear(units: 0, frozen: true, at: askedAt)
            } else if let buyer = order.buyer {
                limits.withLock { limits in
                    if limits.count >= Self.limitsMax { limits.removeAll(keepingCapacity: true) }
                    limits[LimitKey(position: position, buyer: buyer)] = (askedAt, order.lines[0].quantity)
                }
            }
        }
        if call.purpose == .deduct { halt.forget() }
    }

    /// The sale is not open.
    func hearHalted(at askedAt: UInt64) {
        halt.hear(units: 0, frozen: false, at: askedAt)
    }

    /// Buyers may hold less of what a release gave back.
    func forgetLimits() {
        if isLimited { limits.withLock { $0.removeAll(keepingCapacity: true) } }
    }

    /// The bucket stands anew.
    func forget() {
        for cell in cells { cell.forget() }
        halt.forget()
        forgetLimits()
    }
}

/// What was heard last of one SKU.
private final class NewsCell: Sendable {
    private static let unitBits: UInt64 = 20
    private static let unitsMask: UInt64 = 1 << unitBits - 1
    private static let frozenBit: UInt64 = 1 << unitBits

    /// When it was asked, in milliseconds · whether it is frozen, 1 bit · units left, 20 bits. 0: nothing that would refuse.
    private let news = Atomic<UInt64>(0)
    /// The news that somebody is asking after.
    private let asked = Atomic<UInt64>(0)

    func holds(against quantity: Int32, now: @autoclosure () -> UInt64) -> Refusal? {
        let news = news.load(ordering: .acquiring)
        guard news != 0 else { return nil }
        let isFrozen = news & Self.frozenBit != 0
        guard isFrozen || UInt64(clamping: quantity) > news & Self.unitsMask else { return nil }
        let askedAt = news >> (Self.unitBits + 1)
        let now = now()
        guard now < askedAt + LocalRefusals.trustMilliseconds else { return nil }
        if now >= askedAt + LocalRefusals.askAgainMilliseconds, asked.load(ordering: .relaxed) != news,
            asked.exchange(news, ordering: .relaxed) != news
        {
            return nil
        }
        return isFrozen ? .frozen : .soldOut
    }

    func hear(units: Int64, frozen: Bool, at askedAt: UInt64) {
        guard frozen || units < Int64(Self.unitsMask) else { return forget() }
        news.store(
            askedAt << (Self.unitBits + 1) | (frozen ? Self.frozenBit : UInt64(max(0, units))), ordering: .releasing)
    }

    func forget() {
        if news.load(ordering: .relaxed) != 0 { news.store(0, ordering: .releasing) }
    }
}
