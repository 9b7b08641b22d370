import Inventory
import OrderStore
import Testing

/// Orders for people to look at.
@Suite struct OrderGlimpseRules {
    @Test(arguments: StoreKind.all)
    func theNewestComeFirstByStandingBySKUAndByFlow(kind: StoreKind) async throws {
        let fixture = try await Fixture(kind, units: 100, timeout: 60_000)
        let epoch = try await fixture.open(fixture.bucket)
        for number in 1...6 {
            let order = try fixture.order(number, sku: number == 4 ? 2 : 1, quantity: Int32(number))
            #expect(try await fixture.settle(epoch, Int64(number), .deduct([order])) == "settled")
        }
        _ = try await fixture.pay(try fixture.order(2, quantity: 2))
        _ = try await fixture.store.cancel([try fixture.order(5, quantity: 5)])

        func flows(_ question: OrderQuestion, _ limit: Int = 10) async throws -> [UInt64] {
            try await fixture.store.glimpses(question, limit: limit).map(\.flow.milliseconds)
        }
        #expect(try await flows(.newest(nil)) == [6, 5, 4, 3, 2, 1])
        #expect(try await flows(.newest(nil), 2) == [6, 5])
        #expect(try await flows(.newest(nil), -1) == [])
        #expect(try await flows(.newest(.reserved)) == [6, 4, 3, 1])
        #expect(try await flows(.newest(.sold)) == [2])
        #expect(try await flows(.newest(.cancelled)) == [5])
        #expect(try await flows(.newest(.overCapacity)) == [])
        #expect(try await flows(.newestOf(SKUNumber(rawValue: 2))) == [4])
        #expect(try await flows(.newestOf(SKUNumber(rawValue: 1)), 3) == [6, 5, 3])
        #expect(try await flows(.newestOf(SKUNumber(rawValue: 77))) == [])
        #expect(try await flows(.one(Fixture.flow(9))) == [])

        let one = try #require(try await fixture.store.glimpses(.one(Fixture.flow(3)), limit: 1).first)
        #expect(one.standing == .reserved && one.bucket == fixture.bucket)
        #expect(one.id == OutboxID(epoch: epoch, n: 3))
        #expect(one.lines == [OrderLine(sku: SKUNumber(rawValue: 1), quantity: 3)])
        #expect(one.deadline != nil)
        await fixture.store.close()
    }

    @Test(arguments: StoreKind.all)
    func anOrderOverSeveralBucketsShowsAllItsLines(kind: StoreKind) async throws {
        let floor = try await WideOrderRules.Floor(kind)
        let order = try floor.order(1)
        _ = try await floor.take(order, 0)
        let half = try #require(try await floor.store.glimpses(.one(Fixture.flow(1)), limit: 1).first)
        #expect(half.standing == .partial)
        #expect(half.lines.map(\.sku.rawValue) == [1, 3])
        _ = try await floor.take(order, 1)
        let whole = try #require(try await floor.store.glimpses(.newest(.reserved), limit: 1).first)
        #expect(whole.lines.map(\.quantity) == [2, 1])
        await floor.store.close()
    }
}
