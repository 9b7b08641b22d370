import Inventory
import Testing

@testable import Lab

/// What buyers were promised, as they themselves write it down.
@Suite("the buyers' book")
struct BuyersBookTests {
    private static let sku = SKUNumber(rawValue: 1)
    private static let bucket = BucketNumber(rawValue: 1)

    private func book(allocated: Int64) -> BuyersBook {
        let catalogue = Catalogue(
            entries: [
                CatalogueEntry(
                    number: Self.sku, sku: "1001", name: "Trail Runner", bucket: Self.bucket)
            ], tags: [Self.bucket: "a0"])
        return BuyersBook(catalogue: catalogue, allocated: [Self.sku: allocated])
    }

    private func order(_ number: UInt64, units: Int32 = 1) -> Order {
        Order(
            trustedFlow: FlowID(high: 1, low: number), bucket: Self.bucket,
            sortedLines: [OrderLine(sku: Self.sku, quantity: units)])
    }

    @Test("a refund to a buyer in time breaks a promise: it is lost, and its units stay sold twice")
    func aRefundIsNoReleaseOfAPromise() {
        let book = book(allocated: 1)
        book.acknowledge(order(1))
        book.acknowledge(order(2))
        book.refund(order(1))
        #expect(book.oversold == [Self.sku: 1])
        #expect(book.totals.refunded == 1)
        #expect(book.totals.broken == 1)
        #expect(book.totals.brokenUnits == 1)
    }

    @Test("a refund to a buyer who came too late breaks nothing")
    func aLateBuyerLosesNothing() {
        let book = book(allocated: 1)
        book.acknowledge(order(1))
        book.lapse(order(1))
        book.acknowledge(order(2))
        book.refund(order(1))
        #expect(book.oversold.isEmpty)
        #expect(book.totals.broken == 0)
    }

    @Test("somebody else's restock makes room, as SQL says; taking units off sale takes it away again")
    func aRestockMakesRoom() {
        let book = book(allocated: 1)
        book.acknowledge(order(1))
        book.acknowledge(order(2))
        #expect(book.oversold == [Self.sku: 1])
        book.note(allocated: [Self.sku: 3])
        #expect(book.oversold.isEmpty)
        book.note(allocated: [Self.sku: 1, SKUNumber(rawValue: 99): 5])
        #expect(book.oversold == [Self.sku: 1])
    }

    @Test("what is released may be promised again")
    func aReleaseMakesRoom() {
        let book = book(allocated: 2)
        book.acknowledge(order(1, units: 2))
        book.release(order(1, units: 2))
        book.acknowledge(order(2, units: 2))
        #expect(book.oversold.isEmpty)
    }
}
