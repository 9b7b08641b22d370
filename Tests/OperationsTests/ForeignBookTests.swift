import Testing

@testable import Operations

@Suite("What was seen of somebody else's keys")
struct ForeignBookTests {
    private func book(_ count: Int = 2) -> ForeignBook {
        var book = ForeignBook()
        book.grow(to: count)
        return book
    }

    @Test(
        "without a ledger a rate is what leaves the stock, between two reads however far apart; a restock is no negative sale"
    )
    func byStock() {
        var book = book()
        book.take(.init(position: 0, stock: 100), at: 1)
        #expect(book.entries[0].rate == 0 && book.entries[0].sold == 0)
        book.take(.init(position: 0, stock: 80), at: 5)
        #expect(book.entries[0].rate == 5 && book.entries[0].sold == 20)
        book.take(.init(position: 0, stock: 500), at: 6)
        #expect(book.entries[0].rate == 0 && book.entries[0].sold == 20 && book.entries[0].stockMax == 500)
        book.take(.init(position: 0, stock: 499), at: 7)
        #expect(book.entries[0].rate == 1 && book.sold == 21)
    }

    @Test("with a ledger its growth is the rate, whatever the stock does")
    func byLedger() {
        var book = book()
        book.take(.init(position: 1, stock: 100, ledger: 10), at: 0)
        book.take(.init(position: 1, stock: 200, ledger: 16), at: 2)
        #expect(book.entries[1].rate == 3 && book.entries[1].sold == 6 && book.entries[1].stock == 200)
        // A ledger that was emptied is no negative sale.
        book.take(.init(position: 1, stock: 200, ledger: 0), at: 3)
        #expect(book.entries[1].rate == 0 && book.entries[1].sold == 6)
    }

    @Test("a key that is gone has no stock, and what it says when it is back is no sale")
    func gone() {
        var book = book()
        book.take(.init(position: 0, stock: 100), at: 0)
        book.take(.init(position: 0, stock: nil), at: 1)
        #expect(book.entries[0].stock == nil)
        book.take(.init(position: 0, stock: 40), at: 2)
        #expect(book.entries[0].sold == 0)
    }

    @Test("a history holds a value a second, sixty at most, and only of what sells")
    func histories() {
        var book = book(3)
        for second in 0..<90 {
            book.take(.init(position: 0, stock: Int64(1_000 - second * 2)), at: Double(second))
            book.take(.init(position: 1, stock: 7), at: Double(second))
            book.tick()
        }
        #expect(book.history(0).count == 60 && book.history(0).allSatisfy { $0 == 2 })
        #expect(book.history(1) == [] && book.hottest(5) == [0])
        #expect(book.perSecond == 2)
        #expect(book.hour(0).count == 9)
    }
}
