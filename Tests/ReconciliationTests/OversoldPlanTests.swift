import Inventory
import OrderStore
import Reconciliation
import Testing

/// Who loses: a value, decided from what SQL shows.
@Suite("Who loses where more was promised than there is")
struct OversoldPlanTests {
    private func order(_ number: UInt64, _ lines: [(Int32, Int32)]) -> Order {
        Order(
            trustedFlow: FlowID(high: number << 16 | 0x7000, low: 1 << 63), bucket: BucketNumber(rawValue: 1),
            sortedLines: lines.map { OrderLine(sku: SKUNumber(rawValue: $0.0), quantity: $0.1) })
    }

    private func counter(_ sku: Int32, _ allocated: Int64, sold: Int64 = 0, reserved: Int64, over: Int64) -> SKUCounters
    {
        SKUCounters(
            sku: SKUNumber(rawValue: sku), allocated: allocated, sold: sold, reserved: reserved, overCapacity: over,
            frozen: false)
    }

    private func numbers(_ decisions: [OversoldPlan.Decision]) -> [UInt64] { decisions.map(\.order.flow.milliseconds) }

    @Test("the policy chooses among equals", arguments: OversoldPolicy.allCases)
    func policies(policy: OversoldPolicy) {
        // 6 units: 1 and 4 are reserved with 3 each; 2 (one unit) and 3 (two units) are beyond.
        let books = OversoldBooks(
            counters: [counter(1, 6, reserved: 6, over: 3)],
            orders: [
                .init(order: order(1, [(1, 3)]), isOverCapacity: false, isPaid: false),
                .init(order: order(2, [(1, 1)]), isOverCapacity: true, isPaid: false),
                .init(order: order(3, [(1, 2)]), isOverCapacity: true, isPaid: false),
                .init(order: order(4, [(1, 3)]), isOverCapacity: false, isPaid: false),
            ])
        let plan = OversoldPlan(books, policy: policy)
        switch policy {
        case .newestFirst:
            #expect(numbers(plan.losers) == [4] && numbers(plan.takenIn) == [3, 2] && plan.kept == 1)
        case .oldestFirst:
            #expect(numbers(plan.losers) == [1] && numbers(plan.takenIn) == [2, 3] && plan.kept == 1)
        case .smallestFirst:
            #expect(numbers(plan.losers) == [2, 3] && plan.takenIn.isEmpty && plan.kept == 2)
        }
    }

    @Test("what is paid for never loses to what is not, and what is sold is not asked")
    func paidFirst() {
        let books = OversoldBooks(
            counters: [counter(1, 4, sold: 2, reserved: 2, over: 2)],
            orders: [
                .init(order: order(1, [(1, 2)]), isOverCapacity: false, isPaid: false),
                .init(order: order(8, [(1, 1)]), isOverCapacity: true, isPaid: false),
                .init(order: order(9, [(1, 1)]), isOverCapacity: true, isPaid: true),
            ])
        let plan = OversoldPlan(books, policy: .newestFirst)
        #expect(numbers(plan.takenIn) == [8, 9] && numbers(plan.losers) == [1])
    }

    @Test("capacity that came back lets orders in, and nobody loses")
    func room() {
        let books = OversoldBooks(
            counters: [counter(1, 9, reserved: 5, over: 3)],
            orders: [
                .init(order: order(1, [(1, 5)]), isOverCapacity: false, isPaid: false),
                .init(order: order(2, [(1, 3)]), isOverCapacity: true, isPaid: false),
            ])
        let plan = OversoldPlan(books, policy: .newestFirst)
        #expect(plan.losers.isEmpty && numbers(plan.takenIn) == [2] && plan.choices.count == 1)
    }

    @Test("all lines or none: an order that fits on one SKU only loses and takes nothing")
    func manyLines() {
        let books = OversoldBooks(
            counters: [counter(1, 2, reserved: 1, over: 2), counter(2, 1, reserved: 1, over: 1)],
            orders: [
                .init(order: order(1, [(2, 1)]), isOverCapacity: false, isPaid: false),
                .init(order: order(2, [(1, 1), (2, 1)]), isOverCapacity: true, isPaid: false),
                .init(order: order(3, [(1, 1)]), isOverCapacity: true, isPaid: false),
            ])
        let plan = OversoldPlan(books, policy: .newestFirst)
        #expect(numbers(plan.losers) == [2] && numbers(plan.takenIn) == [3])
    }

    @Test("nothing beyond capacity: no plan")
    func calm() {
        let plan = OversoldPlan(OversoldBooks(counters: [], orders: []), policy: .newestFirst)
        #expect(plan.isEmpty && plan.choices.isEmpty)
    }
}
