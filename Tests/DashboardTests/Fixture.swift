import Dashboard
import Inventory
import Telemetry
import TerminalUI

/// War rooms that tests draw: the same numbers every time.
enum Fixture {
    static let start: UInt64 = 1_790_000_000_000

    /// A sequence that is the same in every run.
    struct Dice {
        var state: UInt64
        init(_ seed: UInt64) { state = seed &* 2 &+ 1 }
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        mutating func below(_ limit: Int) -> Int { Int(next() >> 33) % limit }
        mutating func share() -> Double { Double(next() >> 40) / Double(1 << 24) }
    }

    static let names = [
        "Trail Runner 42", "Rain Shell M", "Camp Stove", "Headlamp", "Down Jacket L", "Dry Bag 20 l", "Titanium Mug",
        "Trekking Poles", "Merino Crew S", "Bivy Sack", "Water Filter", "Ice Axe 55", "Gaiters", "Sun Hoody M",
        "Rope 9.8 60 m", "Climbing Shoes 43", "Chalk Bag", "Duffel 90 l", "Hammock", "Solar Panel 21 W",
    ]

    /// 1,000 SKUs, nobody buying.
    static func warmed(durability: Durability = .durable, skus count: Int = 1_000) -> WarRoomSnapshot {
        var dice = Dice(7)
        var snapshot = WarRoomSnapshot(
            phase: .live, saleName: "summer-drop", saleState: .warmed, durability: durability, topology: "cluster 3",
            redisURL: "redis://127.0.0.1:41001", ordersURL: "sqlite:/home/ada/sellout-demo/books.sqlite")
        snapshot.skus = (0..<count).map { index in
            let allocated = Int64(1 + dice.below(40)) * 250
            return WarRoomSnapshot.SKU(
                number: SKUNumber(rawValue: Int32(index + 1)), sku: "\(1001 + index)",
                name: names[index % names.count] + (index < names.count ? "" : " /\(index / names.count + 1)"),
                tag: tag(index % 64), node: index % 64 % 3, allocated: allocated, stock: allocated, taken: 0,
                unitsPerSecond: 0, history: [], frozen: false, fenced: false, oversold: 0)
        }
        snapshot.nodes = (0..<3).map { index in
            WarRoomSnapshot.Node(
                address: "127.0.0.1:\(41001 + index)", isUp: true, sinceSeconds: 12, ordersPerSecond: 0,
                callsPerSecond: 0, p99Milliseconds: 0, errors: 0, buckets: index == 0 ? 22 : 21, fencedBuckets: 0,
                memoryBytes: 2_900_000)
        }
        snapshot.bucketCount = 64
        snapshot.orders = WarRoomSnapshot.Orders(refused: 0, unknown: 0, p50Milliseconds: nil, buyersPerSecond: 0)
        snapshot.ledger.redisBytes = 8_700_000
        snapshot.drift = WarRoomSnapshot.Drift(cutAgeSeconds: 1.4, cuts: 3, lostOrders: 0, lostUnits: 0)
        fillScreens(&snapshot)
        tell(&snapshot, 0, .info, "three Redis servers serve as one cluster on 127.0.0.1:41001, 41002 and 41003")
        tell(
            &snapshot, 900, .good,
            "summer-drop is warmed: 1,000 SKUs, 5,031,250 units, 64 buckets; nobody is buying yet")
        return snapshot
    }

    static func tag(_ index: Int) -> String { String(index + 160, radix: 16) }

    static func tell(
        _ snapshot: inout WarRoomSnapshot, _ after: UInt64, _ severity: WarRoomSnapshot.Event.Severity, _ text: String
    ) {
        snapshot.events.append(
            WarRoomSnapshot.Event(
                number: snapshot.events.count + 1, atMilliseconds: start + after, severity: severity, text: text))
    }

    /// 42 seconds into the sale, at full load.
    static func open(durability: Durability = .durable, skus: Int = 1_000, seconds: Int = 42) -> WarRoomSnapshot {
        var snapshot = warmed(durability: durability, skus: skus)
        var dice = Dice(11)
        snapshot.saleState = .open
        snapshot.openSeconds = Double(seconds)
        for index in snapshot.skus.indices {
            let share = 1 / Double(index + 2)
            let rate = 26_000 * share * (0.7 + 0.6 * dice.share())
            let allocated = Double(snapshot.skus[index].allocated)
            let sold = min(allocated, rate * Double(seconds) * 0.22)
            let isOut = sold >= allocated && index % 5 == 1
            snapshot.skus[index].taken = Int64(isOut ? allocated : min(sold, allocated * (0.5 + 0.48 * dice.share())))
            snapshot.skus[index].stock = snapshot.skus[index].allocated - snapshot.skus[index].taken
            snapshot.skus[index].unitsPerSecond = isOut ? 0 : rate
            snapshot.skus[index].history = (0..<seconds).map { second in
                let spike = second < 6 ? 0.3 + Double(second) * 0.14 : 1
                let end = isOut && second > 24 + index % 9 ? 0.0 : 1
                return Float(rate * spike * end * (0.6 + 0.5 * dice.share()))
            }
        }
        if snapshot.skus.count > 4 {
            snapshot.skus[4].frozen = true
            snapshot.skus[4].unitsPerSecond = 0
        }
        let history = (0..<seconds).map { second in
            Float((second < 8 ? 9_000 + Double(second) * 5_400 : 48_000) * (0.82 + 0.3 * dice.share()))
        }
        snapshot.orders = WarRoomSnapshot.Orders(
            acceptedPerSecond: 48_213, history: history, accepted: 1_203_442, refused: 8_412_008, unknown: 0,
            released: 30_122, p50Milliseconds: 0.9, p99Milliseconds: 4.8, buyersPerSecond: 250_000)
        snapshot.ledger = WarRoomSnapshot.Ledger(
            entries: 1_203_442, entriesPerSecond: 48_213, history: history, persisted: 1_203_130, backlogEntries: 312,
            backlogMilliseconds: 18, lagP50Milliseconds: 6.1, lagP99Milliseconds: 18, redisBytes: 114_000_000,
            pendingGiveBacks: 14)
        let rates = [22_100.0, 15_800, 10_313]
        for index in snapshot.nodes.indices {
            snapshot.nodes[index].ordersPerSecond = rates[index]
            snapshot.nodes[index].callsPerSecond = rates[index] / 31
            snapshot.nodes[index].p99Milliseconds = [1.8, 1.3, 1.1][index]
            snapshot.nodes[index].sinceSeconds = 54
            snapshot.nodes[index].memoryBytes = [51_000_000, 37_000_000, 26_000_000][index]
        }
        snapshot.hottestTags = (0..<10).map { index in
            WarRoomSnapshot.Tag(
                tag: tag(index), slot: (index * 5_237 + 811) % 16_384, node: index % 3,
                ordersPerSecond: 9_100 / Double(index + 1), skus: (0..<4).map { "\(1001 + index + $0 * 64)" },
                fenced: false)
        }
        snapshot.drift = WarRoomSnapshot.Drift(
            byKind: [.inFlight: 312], cutAgeSeconds: 0.8, cuts: 21, lostOrders: 0, lostUnits: 0)
        tell(&snapshot, 12_000, .good, "the sale is open: 250,000 buyers a second for 60 s")
        tell(&snapshot, 14_200, .warning, "1002 Rain Shell M sold out after 2.2 s")
        tell(&snapshot, 31_000, .info, "you froze 1005 Down Jacket L; 1,204 units stay")
        fillScreens(&snapshot)
        return snapshot
    }

    /// A node died a moment ago at durable: fenced, being rebuilt.
    static func crashedDurable() -> WarRoomSnapshot {
        var snapshot = open()
        fence(&snapshot, node: 1)
        snapshot.fencedBuckets = 13
        snapshot.nodes[1].isUp = false
        snapshot.nodes[1].sinceSeconds = 1.2
        snapshot.nodes[1].fencedBuckets = 13
        snapshot.nodes[1].recoveredBuckets = 8
        snapshot.orders.unknown = 41
        snapshot.orders.acceptedPerSecond = 31_870
        snapshot.alerts = [
            WarRoomSnapshot.Alert(severity: .bad, text: "node 2 down 1.2 s: 21 buckets fenced, recovering 8 of 21"),
            WarRoomSnapshot.Alert(severity: .warning, text: "41 orders answered “unknown”"),
        ]
        for index in snapshot.buckets.indices where snapshot.buckets[index].node == 1 && index % 5 > 1 {
            snapshot.buckets[index].fenced = true
            snapshot.buckets[index].fence = "its server restarted"
        }
        tell(&snapshot, 54_000, .bad, "you killed node 2 (127.0.0.1:41002) with kill -9; 21 buckets are fenced")
        tell(
            &snapshot, 55_100, .warning,
            "node 2 came back empty; 41 orders answered “unknown”, none lost; rebuilding 21 buckets from SQL, 8 are open again"
        )
        return snapshot
    }

    private static func fence(_ snapshot: inout WarRoomSnapshot, node: Int) {
        for index in snapshot.skus.indices where snapshot.skus[index].node == node {
            // Eight of its buckets are open again.
            guard index % 64 >= 25 || index < 12 else { continue }
            snapshot.skus[index].fenced = true
            snapshot.skus[index].stock = nil
            snapshot.skus[index].unitsPerSecond *= 0.9
        }
        for index in snapshot.hottestTags.indices where snapshot.hottestTags[index].node == node {
            snapshot.hottestTags[index].fenced = true
        }
    }

    /// A crash at memory, afterwards: units came back from the dead.
    static func crashedMemory() -> WarRoomSnapshot {
        var snapshot = open(durability: .memory)
        snapshot.recoveries = 21
        for index in [0, 1, 7] {
            snapshot.skus[index].oversold = Int64(17 - index * 2)
            snapshot.skus[index].stock = 0
            snapshot.skus[index].taken = snapshot.skus[index].allocated
        }
        snapshot.drift = WarRoomSnapshot.Drift(
            units: 52, unitsPeak: 52, byKind: [.lostInRedis: 52, .inFlight: 120], cutAgeSeconds: 2.1, cuts: 24,
            findings: [
                "1001 Trail Runner 42: 17 units acknowledged beyond its 8,250; 19 orders are in no book",
                "1002 Rain Shell M: 15 units acknowledged beyond its 3,000; 14 orders are in no book",
                "1008 Trekking Poles: 3 units acknowledged beyond its 500; 8 orders are in no book",
            ], oversoldUnits: 35, lostOrders: 41, lostUnits: 52)
        fillScreens(&snapshot)
        snapshot.alerts = [
            WarRoomSnapshot.Alert(
                severity: .bad,
                text: "35 units oversold and 41 orders (52 units) lost: at memory a crash loses what SQL does not have"),
            WarRoomSnapshot.Alert(severity: .warning, text: "drift of 52 units"),
        ]
        tell(&snapshot, 54_000, .bad, "you killed node 2 (127.0.0.1:41002) with kill -9; 21 buckets are fenced")
        tell(
            &snapshot, 55_400, .warning,
            "node 2 came back empty; 21 buckets were rebuilt from SQL in 1.3 s and sell again")
        tell(
            &snapshot, 57_000, .bad,
            "lost 41 orders (52 units): their buyers heard yes, and neither Redis nor SQL knows them")
        return snapshot
    }

    static func starting() -> WarRoomSnapshot {
        WarRoomSnapshot(
            phase: .starting("starting 3 Redis servers…"), saleName: "summer-drop", saleState: .warmed,
            durability: .durable, topology: "cluster 3")
    }

    static let plan = PlanSummary(
        id: 3,
        lines: [
            "1001: take 19 units off sale in Redis: SQL sold them",
            "1002: write 14 orders into Redis's ledger; stock stays", "rebuild bucket a7 from SQL under a new epoch",
        ], repairs: 3, sentence: "Two comparisons name the same 3 differences, 52 units.")
}
