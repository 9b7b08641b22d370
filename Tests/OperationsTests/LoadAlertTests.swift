import Inventory
import Telemetry
import Testing

@testable import Operations

@Suite struct LoadAlertTests {
    private func snapshot(_ rates: [Double], hottest: Double) -> WarRoomSnapshot {
        var snapshot = WarRoomSnapshot(
            phase: .live, saleName: "s", saleState: .open, durability: .durable, topology: "cluster 3")
        snapshot.nodes = rates.enumerated().map { index, rate in
            .init(
                address: "127.0.0.1:\(7_001 + index)", isUp: true, sinceSeconds: 1, ordersPerSecond: rate,
                callsPerSecond: rate, p99Milliseconds: 1, errors: 0, buckets: 8, fencedBuckets: 0,
                memoryBytes: 60 << 20)
        }
        snapshot.bucketCount = 24
        snapshot.hottestTags = [
            .init(tag: "a7", slot: 4_711, node: 0, ordersPerSecond: hottest, skus: ["1001", "1002"], fenced: false)
        ]
        return snapshot
    }

    private func alerts(
        _ snapshot: WarRoomSnapshot, _ trends: TrendBook = TrendBook(), limits: [String: Int64] = [:],
        thresholds: AlertThresholds = AlertThresholds()
    ) -> [String] {
        Alerts.ofLoad(snapshot, trends: trends, memoryLimits: limits, thresholds: thresholds).filter(\.isOver)
            .map(\.text)
    }

    @Test func aSlotAndANodeThatTakeMostAreTold() {
        #expect(alerts(snapshot([300, 310, 290], hottest: 60)).isEmpty)
        let told = alerts(snapshot([900, 50, 50], hottest: 800))
        #expect(told.count == 2)
        #expect(told[0] == "HOT SLOT: 80.0 % of all orders go to slot 4711 (tag a7) on node 1: 1001, 1002")
        #expect(told[1] == "SKEW: node 1 takes 90.0 % of all orders, 2.7 times the mean of 3 nodes")
        // A slot of the only server can be moved nowhere.
        #expect(alerts(snapshot([1_000], hottest: 900)).isEmpty)
        // A handful of orders is no load, and thresholds are heeded.
        #expect(alerts(snapshot([9, 0, 0], hottest: 9)).isEmpty)
        var high = AlertThresholds()
        (high.hotSlotShare, high.skewRatio) = (0.9, 3)
        #expect(alerts(snapshot([900, 50, 50], hottest: 800), thresholds: high).isEmpty)
    }

    @Test func aWaveOfFencesEndsWithItsLastBucket() {
        var wave = FenceWave()
        wave.take([])
        #expect(wave.recovered == 0)
        wave.take([3, 4, 5])
        wave.take([4, 5, 6])
        #expect(wave.recovered == 1)
        wave.take([])
        #expect(wave.recovered == 4)
        wave.take([9])
        #expect(wave.recovered == 0)
    }

    @Test func memoryThatRunsOutAndCallsThatFailAreToldByTheTrend() {
        var trends = TrendBook()
        let node = "127.0.0.1:7001"
        for second in 0...20 {
            trends.add(
                node, at: Double(second), bytes: Int64(40 + second) << 20, errors: UInt64(second * 5),
                callsPerSecond: 100)
        }
        #expect(trends.secondsUntilFull(node, limit: 160 << 20).map { Int($0.rounded()) } == 100)
        let told = alerts(snapshot([1, 1], hottest: 0), trends, limits: [node: 160 << 20])
        #expect(told.count == 2)
        #expect(told[0].contains("node 1 (127.0.0.1:7001): 5.0 % of its calls failed in the last minute, 100 in all"))
        #expect(told[1].contains("is full in 2 min at this growth: 60 of 160 MiB used"))
        // Memory that does not grow is never full, and little news is none.
        #expect(trends.secondsUntilFull("other", limit: 1) == nil)
        var young = TrendBook()
        young.add(node, at: 0, bytes: 1, errors: 0, callsPerSecond: 1)
        young.add(node, at: 5, bytes: 1 << 30, errors: 1, callsPerSecond: 1)
        #expect(young.secondsUntilFull(node, limit: 2 << 30) == nil && young.errorShare(node) == nil)
    }
}
