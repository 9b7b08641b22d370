import Inventory
import Reconciliation
import Telemetry
import Testing

@testable import Operations

@Suite struct RateBookTests {
    @Test func aSKUThatSoldNothingHasNoHistoryAndOneThatBeginsHasZerosBefore() {
        var book = RateBook(skus: 3, buckets: 1)
        for second in 0...30 {
            let sold: Int64 = second > 20 ? Int64(second - 20) * 5 : 0
            book.add(at: Double(second), taken: [0, sold, 7], accepted: 0, entries: 0)
        }
        #expect(book.history(0).isEmpty && book.history(2).isEmpty)
        #expect(book.history(1).count == 30)
        #expect(book.history(1).prefix(20).allSatisfy { $0 == 0 })
        #expect(book.history(1).suffix(10).allSatisfy { $0 == 5 })
        #expect(book.unitsPerSecond(1) == 5)
    }

    @Test func whatAnswersLateIsNoSale() {
        var book = RateBook(skus: 1, buckets: 1)
        book.add(at: 0, taken: [nil], accepted: 0, entries: 0)
        book.add(at: 1, taken: [900], accepted: 0, entries: 0)
        book.add(at: 2, taken: [903], accepted: 0, entries: 0)
        #expect(book.history(0) == [0, 3])
    }

    @Test func historiesEndAndAreBounded() {
        var book = RateBook(skus: 2, buckets: 1)
        for second in 0...4_000 {
            book.add(at: Double(second), taken: [min(50, Int64(second)), Int64(second)], accepted: 0, entries: 0)
        }
        #expect(book.history(0).isEmpty, "nothing sold for a minute")
        #expect(book.history(1).count == RateBook.skuHistoryMax)
        #expect(book.hour(0).isEmpty, "nothing sold for an hour")
        #expect(book.hour(1).count == RateBook.hourMax)
        #expect(book.hour(1).last == 1)
    }

    @Test func whereTooManySellThoseThatSoldLongestAgoAreForgotten() {
        let count = RateBook.hoursMax + 10
        var book = RateBook(skus: count, buckets: 1)
        var taken = [Int64?](repeating: 0, count: count)
        book.add(at: 0, taken: taken, accepted: 0, entries: 0)
        for position in 0..<10 { taken[position] = 1 }
        book.add(at: 10, taken: taken, accepted: 0, entries: 0)
        for position in 10..<count { taken[position] = 1 }
        book.add(at: 20, taken: taken, accepted: 0, entries: 0)
        #expect((0..<10).allSatisfy { book.hour($0).isEmpty })
        #expect((10..<count).allSatisfy { book.hour($0).count == 2 })
    }
}

@Suite struct SeriesBookTests {
    @Test func comparisonsAreNotedOnceAndBounded() {
        var book = SeriesBook()
        for index in 0..<300 {
            let comparison = Comparison(
                findings: [], cuts: 1, unread: [:], atMilliseconds: UInt64(index / 2), duration: .zero)
            book.add(comparison)
        }
        #expect(book.drift.count == SeriesBook.comparisonsMax)
        #expect(book.drift.map(\.atMilliseconds) == Array(30..<150))
    }

    @Test func memoryReadsALimitOfItsOwnAndElseTheMachines() {
        var book = MemoryBook()
        book.take("used_memory:100\r\nmaxmemory:1000\r\ntotal_system_memory:9000\r\n", of: "a")
        book.take("used_memory:50\r\nmaxmemory:0\r\ntotal_system_memory:9000\r\n", of: "b")
        book.take("used_memory:50\r\nmaxmemory:0\r\ntotal_system_memory:9000\r\n", of: "c")
        #expect(book.usedBytes == 200)
        #expect(book.limits == ["a": 1_000, "b": 9_000, "c": 9_000])
        #expect(book.own == ["a": 1_000])
        #expect(book.limitBytes == 10_000)
    }
}
