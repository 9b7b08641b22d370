import Operations
import Testing

@Suite("The plan of a sweep")
struct SweepPlanTests {
    @Test(
        "whatever is in sight and however hot it is, everything is read within the bound, and no second costs more than its budget",
        arguments: [
            (100_000, 10_000, 1), (100_000, 10_000, 2), (20_000, 1_000, 2), (1_001, 1_000, 1), (7, 3, 1), (5, 1, 2),
            (1_000, 10_000, 1),
        ])
    func bound(count: Int, budget: Int, perSKU: Int) {
        var plan = SweepPlan(readsPerSecond: budget, readsPerSKU: perSKU)
        var random = SystemRandomNumberGenerator()
        var lastRead = [Int](repeating: 0, count: count)
        let bound = plan.sweepSeconds(of: count)
        var worst = 0
        for second in 1...(3 * bound + 2) {
            let visible = (0..<60).map { _ in Int.random(in: -2..<count + 2, using: &random) }
            let hot = (0..<2_000).map { _ in Int.random(in: 0..<count, using: &random) }
            let chosen = plan.nextSecond(count: count, visible: visible, hot: hot)
            #expect(chosen.count * perSKU <= max(budget, 2 * perSKU))
            #expect(Set(chosen).count == chosen.count)
            for position in chosen {
                worst = max(worst, second - lastRead[position])
                lastRead[position] = second
            }
        }
        #expect(worst <= bound, "\(worst) s, promised \(bound) s")
        #expect(lastRead.allSatisfy { $0 > 0 })
    }

    @Test("what is in sight is read each second, then the hottest, as long as half of the budget lasts")
    func wanted() {
        var plan = SweepPlan(readsPerSecond: 100, readsPerSKU: 1)
        for _ in 0..<50 {
            let chosen = plan.nextSecond(count: 10_000, visible: [9_000, 9_001], hot: Array(100..<300))
            #expect(chosen.prefix(2) == [9_000, 9_001])
            #expect(chosen[2..<50] == [Int](100..<148)[...])
        }
    }

    @Test("all that fits into one second is read each second")
    func few() {
        var plan = SweepPlan(readsPerSecond: 10_000, readsPerSKU: 2)
        #expect(plan.sweepSeconds(of: 5_000) == 1)
        #expect(plan.nextSecond(count: 5_000, visible: [3], hot: [4]).count == 5_000)
        #expect(plan.nextSecond(count: 0, visible: [3], hot: []) == [])
    }

    @Test("SKUs that come while a sweep is under way are read within the bound of all of them")
    func growing() {
        var plan = SweepPlan(readsPerSecond: 200, readsPerSKU: 1)
        var lastRead = [Int: Int]()
        for second in 1...400 {
            let count = min(5_000, second * 100)
            for position in plan.nextSecond(count: count, visible: [], hot: []) { lastRead[position] = second }
        }
        let bound = plan.sweepSeconds(of: 5_000)
        #expect(lastRead.count == 5_000)
        #expect(lastRead.values.allSatisfy { 400 - $0 < bound })
    }

    @Test("the search for SKUs keeps its pace", arguments: [1, 10, 199, 5_000, 1_000_000])
    func pace(keysPerSecond: Int) {
        let pace = ScanPace(keysPerSecond: keysPerSecond)
        let perSecond = Double(pace.keysPerCall) / (pace.pause / .seconds(1))
        #expect(perSecond <= Double(keysPerSecond) * 1.01 && perSecond >= Double(keysPerSecond) * 0.99)
        #expect(pace.keysPerCall <= ScanPace.keysPerCallMax)
    }
}
