import Inventory
import Telemetry
import Testing

@testable import Operations

/// Low, then sold out, each once.
@Suite("What is told of stock")
struct StockTellerTests {
    /// Plays one SKU's stock, a look each second, and keeps what was told.
    private func play(_ stocks: [Int64], allocated: Int64 = 100, seconds: UInt64 = 1) -> [String] {
        var teller = StockTeller()
        var told: [String] = []
        for (index, stock) in stocks.enumerated() {
            told += teller.tell([sku(1, stock, of: allocated)], milliseconds: 10_000 + UInt64(index) * seconds * 1_000)
        }
        return told
    }

    private func sku(_ number: Int32, _ stock: Int64, of allocated: Int64) -> WarRoomSnapshot.SKU {
        .init(
            number: SKUNumber(rawValue: number), sku: "\(1000 + number)", name: "Lamp", tag: "a", node: 0,
            allocated: allocated, stock: stock, taken: allocated - stock, unitsPerSecond: 1, history: [], frozen: false,
            fenced: false, oversold: 0)
    }

    private let low = "1001 Lamp: low, 9 units left of 100"
    private let gone = "1001 Lamp: sold out, all 100 units"

    @Test("low comes before sold out, and what is gone is not low")
    func order() {
        #expect(play([50, 9, 9, 0, 0]) == [low, gone])
        // It is gone before anybody could say that it is low.
        #expect(play([50, 0, 0]) == [gone])
        #expect(play([50, 0, 3, 0, 2, 0]) == [gone])
    }

    @Test("two that come in one look are told in this order")
    func together() {
        var teller = StockTeller()
        _ = teller.tell([sku(1, 50, of: 100), sku(2, 50, of: 100)], milliseconds: 0)
        let told = teller.tell([sku(1, 0, of: 100), sku(2, 9, of: 100)], milliseconds: 10_000)
        #expect(told == ["1002 Lamp: low, 9 units left of 100", gone])
    }

    @Test("units that come back from failed payments are no news, also where few are allocated")
    func hysteresis() {
        #expect(play([50, 9, 0] + [3, 0, 12, 0, 20, 9, 0, 25, 0]) == [low, gone])
        #expect(play([5, 0, 3, 0, 4, 0, 5, 0], allocated: 5) == ["1001 Lamp: sold out, all 5 units"])
    }

    @Test("a restock makes everything news again")
    func restock() {
        var teller = StockTeller()
        var told: [String] = []
        for (second, stock, allocated) in [(1, 50, 100), (2, 0, 100), (8, 6, 106), (14, 0, 106)]
            as [(UInt64, Int64, Int64)]
        {
            told += teller.tell([sku(1, stock, of: allocated)], milliseconds: (10 + second) * 1_000)
        }
        #expect(told == [gone, "1001 Lamp: low, 6 units left of 106", "1001 Lamp: sold out, all 106 units"])
        #expect(play([50, 0, 60, 9, 0], seconds: 5) == [gone, low, gone])
    }

    @Test("what was so at the first look is no news")
    func first() { #expect(play([0, 0, 0]).isEmpty) }
}
