import Inventory
import Redis
import Testing

@testable import Deduction

/// What an engine refuses without asking, as values.
@Suite("Refusals without Redis") struct LocalRefusalTests {
    static let catalogue = Catalogue(
        entries: [1, 2].map { number in
            CatalogueEntry(
                number: SKUNumber(rawValue: number), sku: "\(number)", name: "\(number)",
                bucket: BucketNumber(rawValue: 1), limitPerBuyer: number == 2 ? 1 : nil)
        }, tags: [BucketNumber(rawValue: 1): "t"])

    /// When what is heard was asked.
    let askedAt: UInt64 = 10_000
    let refusals = LocalRefusals(
        keys: BucketKeys(bucket: catalogue.buckets[0], catalogue: catalogue), isLimited: true)

    static func order(
        _ sku: Int32 = 1, _ quantity: Int32 = 1, madeAt milliseconds: UInt64 = 1, buyer: BuyerID? = nil
    ) -> Order {
        Order(
            trustedFlow: .earliest(atMilliseconds: milliseconds), bucket: BucketNumber(rawValue: 1),
            sortedLines: [OrderLine(sku: SKUNumber(rawValue: sku), quantity: quantity)], buyer: buyer)
    }

    static func call(_ orders: [Order], _ purpose: Ticket.Purpose = .deduct) -> LaneState.Call {
        let tickets = orders.map {
            Ticket(order: $0, purpose: purpose, askedAt: .now, deadline: .now, resume: { _ in })
        }
        return LaneState.Call(purpose: purpose, epoch: Epoch(rawValue: 1), n: 0, tickets: tickets)
    }

    func hear(_ stock: Int64, at time: UInt64, results: String = "S", order: Order = order()) {
        refusals.hear(
            stocks: [stock], positions: [Int(order.lines[0].sku.rawValue) - 1], of: Self.call([order]),
            results: Array(results.utf8), at: time)
    }

    @Test("nothing is refused that nobody spoke of, nor what there is enough of")
    func enough() {
        #expect(refusals.refusal(of: Self.order(), now: askedAt) == nil)
        hear(3, at: askedAt, results: "D")
        #expect(refusals.refusal(of: Self.order(1, 3), now: askedAt) == nil)
        #expect(refusals.refusal(of: Self.order(1, 4), now: askedAt) == .soldOut)
        #expect(refusals.refusal(of: Self.order(2, 4), now: askedAt) == nil)
    }

    @Test("sold out holds for its time, and one caller asks anew for all")
    func time() {
        hear(0, at: askedAt)
        #expect(refusals.refusal(of: Self.order(), now: askedAt + 49) == .soldOut)
        #expect(refusals.refusal(of: Self.order(), now: askedAt + 50) == nil)
        #expect(refusals.refusal(of: Self.order(), now: askedAt + 51) == .soldOut)
        #expect(refusals.refusal(of: Self.order(), now: askedAt + 99) == .soldOut)
        #expect(refusals.refusal(of: Self.order(), now: askedAt + 100) == nil)
    }

    @Test("a release, a thaw and a new epoch are heard at once")
    func news() {
        hear(0, at: askedAt)
        refusals.hear(
            stocks: [1], positions: [0], of: Self.call([Self.order()], .release), results: Array("R".utf8),
            at: askedAt + 1)
        #expect(refusals.refusal(of: Self.order(), now: askedAt + 2) == nil)
        hear(5, at: askedAt + 3, results: "F")
        #expect(refusals.refusal(of: Self.order(), now: askedAt + 4) == .frozen)
        hear(5, at: askedAt + 5, results: "D")
        #expect(refusals.refusal(of: Self.order(), now: askedAt + 6) == nil)
        hear(0, at: askedAt + 7)
        refusals.hearHalted(at: askedAt + 7)
        #expect(refusals.refusal(of: Self.order(2), now: askedAt + 8) == .halted)
        refusals.forget()
        #expect(refusals.refusal(of: Self.order(), now: askedAt + 8) == nil)
    }

    @Test("a buyer's limit holds for that buyer and that many units")
    func limits() {
        let (one, other) = (BuyerID(high: 1, low: 1), BuyerID(high: 1, low: 2))
        hear(9, at: askedAt, results: "L", order: Self.order(2, 2, buyer: one))
        #expect(refusals.refusal(of: Self.order(2, 2, buyer: one), now: askedAt + 1) == .limit)
        #expect(refusals.refusal(of: Self.order(2, 1, buyer: one), now: askedAt + 1) == nil)
        #expect(refusals.refusal(of: Self.order(2, 2, buyer: other), now: askedAt + 1) == nil)
        refusals.forgetLimits()
        #expect(refusals.refusal(of: Self.order(2, 2, buyer: one), now: askedAt + 1) == nil)
    }

    @Test("a call is packed as its blob would be", arguments: [Ticket.Purpose.deduct, .release])
    func packing(purpose: Ticket.Purpose) {
        let plain = [Self.order(1, 3), Self.order(2, 70_000, madeAt: 77)]
        for orders in [plain, plain + [Self.order(1, 1, buyer: BuyerID(high: 1, low: 9))]] {
            var packed = ScriptCall(keyCount: 0)
            OutboxBlob.append(Self.call(orders, purpose), milliseconds: 123_456_789_012, to: &packed)
            let payload: OutboxBlob.Payload = purpose == .deduct ? .deduct(orders) : .release(orders)
            #expect(packed.words[1] == OutboxBlob(milliseconds: 123_456_789_012, payload: payload).bytes)
        }
    }
}
