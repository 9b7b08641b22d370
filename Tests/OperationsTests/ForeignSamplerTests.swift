import Lab
import Redis
import SaleRig
import Synchronization
import Telemetry
import Testing

@testable import Operations

/// The newest snapshot, and what was asked of each that came: one for each second's reading, however long it takes.
private final class Newest: Sendable {
    private let state = Mutex<(snapshot: WarRoomSnapshot?, answers: [[Bool]])>((nil, []))
    private let questions: [@Sendable (WarRoomSnapshot) -> Bool]

    init(_ questions: [@Sendable (WarRoomSnapshot) -> Bool] = []) { self.questions = questions }

    func put(_ snapshot: WarRoomSnapshot) {
        let answers = questions.map { $0(snapshot) }
        state.withLock { $0 = (snapshot, $0.answers + [answers]) }
    }
    var snapshot: WarRoomSnapshot? { state.withLock { $0.snapshot } }
    var readings: Int { state.withLock { $0.answers.count } }

    /// After how many readings since `count` the answer to a question was yes.
    func yes(to question: Int, since count: Int) -> Int? {
        state.withLock { state in
            state.answers.indices.first { $0 >= count && state.answers[$0][question] }.map { $0 + 1 - count }
        }
    }
}

@Suite("Watching keys that are not ours", .timeLimit(.minutes(5)))
struct ForeignSamplerTests {
    /// Runs a sampler on a fleet while `body` looks at what it tells.
    private func watch(
        masters: Int = 1, stock: String, ledger: String? = nil, budget: ForeignBudget = ForeignBudget(),
        sight: RowsInSight? = nil, user: String? = nil, into newest: Newest = Newest(),
        fill: (RedisCluster) async throws -> Void,
        _ body: (RedisCluster, _ newest: @escaping @Sendable () -> WarRoomSnapshot?) async throws -> Void
    ) async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: masters))
        let outcome: Result<Void, any Error>
        do {
            let owner = try await RedisCluster.connect(to: RedisURL(fleet.url))
            try await fill(owner)
            let cluster = try await RedisCluster.connect(
                to: RedisURL(address: owner.url.address, user: user, password: user.map { _ in "pw" }))
            let sampler = ForeignSampler(
                cluster: cluster,
                keys: try ForeignKeys(stock: KeyTemplate(stock), ledger: try ledger.map { try KeyTemplate($0) }),
                name: stock, topology: "test", redisURL: "redis://\(cluster.url.address)", budget: budget,
                events: EventLog(), sight: sight
            ) { newest.put($0) }
            let result: Result<Void, any Error>
            do {
                try await SaleRig.running([{ await sampler.run() }]) { try await body(owner, { newest.snapshot }) }
                result = .success(())
            } catch { result = .failure(error) }
            cluster.close()
            owner.close()
            outcome = result
        } catch { outcome = .failure(error) }
        await fleet.stop()
        try outcome.get()
    }

    private func call(_ cluster: RedisCluster, _ name: String, _ words: String...) async throws {
        var command = RedisCommand(name)
        for word in words { command.append(word) }
        _ = try await cluster.call(slot: HashSlot.of(words.first ?? ""), command, deadline: .now + .seconds(5))
    }

    private func fill(_ cluster: RedisCluster, _ pairs: [(String, Int)]) async throws {
        let commands = pairs.map { key, units in
            (slot: HashSlot.of(key), command: RedisCommand("SET", key, "\(units)"))
        }
        for start in stride(from: 0, to: commands.count, by: 5_000) {
            let part = Array(commands[start..<min(commands.count, start + 5_000)])
            for answer in await cluster.callAll(part, deadline: .now + .seconds(20)) { _ = try answer.get() }
        }
    }

    @Test(
        "three ways to name keys: SKUs are found, stock is read, what leaves it is a rate; on one server and on a cluster",
        arguments: [
            ("stock:sku", "stock:1001", 1), ("ss_{sku}", "ss_{1001}", 3), ("ss_{tag}_sku", "ss_{a7}_1001", 3),
        ])
    func templates(template: String, key: String, masters: Int) async throws {
        try await watch(masters: masters, stock: template) { owner async throws in
            try await fill(owner, [(key, 500), ("session:1", 9), (key.replacing("1001", with: "1002"), 20)])
        } _: { owner, newest async throws in
            try await eventually("both are read") {
                newest().map { $0.skus.count == 2 && $0.skus.allSatisfy { $0.stock != nil } } ?? false
            }
            let sku = try #require(newest()?.skus.first { $0.sku == "1001" })
            #expect(sku.stock == 500 && sku.allocated == 500 && sku.name == key && sku.node != nil)
            #expect(sku.tag == (template.contains("tag") ? "a7" : "1001"))
            try await call(owner, "DECRBY", key, "30")
            try await eventually("what left is a rate") {
                newest()?.skus.contains { $0.sku == "1001" && $0.stock == 470 && $0.unitsPerSecond > 5 } ?? false
            }
            #expect(newest()?.orders.accepted == 30)
            #expect(newest()?.foreign?.isScanned == true)
            #expect(newest()?.alerts == [])
        }
    }

    @Test("with a ledger its growth is the rate; a stock below zero is an alert")
    func ledger() async throws {
        try await watch(stock: "ss_{sku}", ledger: "sx_{sku}") { owner async throws in
            try await fill(owner, [("ss_{1}", 5), ("ss_{2}", 5)])
            try await call(owner, "HSET", "sx_{1}", "a", "1")
        } _: { owner, newest async throws in
            try await eventually("the ledger is read") { newest()?.ledger.entries == 1 }
            for field in 0..<40 { try await call(owner, "HSET", "sx_{1}", "f\(field)", "1") }
            try await call(owner, "DECRBY", "ss_{2}", "8")
            try await eventually("entries are the rate, stock is not") {
                newest()?.skus.contains { $0.sku == "1" && $0.taken == 40 && $0.ledgerEntries == 41 } ?? false
            }
            try await eventually("below zero is told") { newest()?.alerts.first?.text.contains("OVERSOLD") ?? false }
            #expect(newest()?.skus.first { $0.sku == "2" }?.taken == 0)
        }
    }

    @Test("20,000 SKUs: usable at once, in sight each second, everything within the bound that is told")
    func many() async throws {
        var budget = ForeignBudget()
        (budget.scanKeysPerSecond, budget.readsPerSecond) = (20_000, 8_000)
        let sight = RowsInSight()
        let kept = Newest([
            { $0.skus.count == 20_000 && $0.skus[12_345].stock == 999 },
            { $0.skus.count == 20_000 && $0.skus.allSatisfy { $0.stock == 999 } },
        ])
        try await watch(stock: "stock:sku", budget: budget, sight: sight, into: kept) { owner async throws in
            try await fill(owner, (0..<20_000).map { ("stock:\($0)", 1_000) })
        } _: { owner, newest async throws in
            try await eventually("some are there at once", within: .seconds(3)) { newest()?.skus.isEmpty == false }
            try await eventually("all are found", within: .seconds(15)) { newest()?.skus.count == 20_000 }
            try await eventually("all are read", within: .seconds(15)) {
                newest()?.skus.allSatisfy { $0.stock == 1_000 } ?? false
            }
            let foreign = try #require(newest()?.foreign)
            #expect(foreign.sweepSeconds == 5, "20,000 by at least 4,000 a second")
            #expect(foreign.readsPerSecond <= 8_000)
            // Every stock falls by one; whoever is in sight shows it at once.
            sight.put([12_345])
            try await fill(owner, (0..<20_000).map { ("stock:\($0)", 999) })
            // Counted in readings, not by a clock: the one that was under way may have read before.
            let before = kept.readings
            try await eventually("swept", within: .seconds(60)) { kept.yes(to: 1, since: before) != nil }
            #expect(try #require(kept.yes(to: 0, since: before)) <= 2)
            #expect(try #require(kept.yes(to: 1, since: before)) <= foreign.sweepSeconds + 1)
        }
    }

    @Test("what the server forbids is told by the rule that allows it, and is read once it is allowed")
    func forbidden() async throws {
        let rules = ["resetkeys", "-@all", "+scan", "+dbsize", "+mget", "%R~stock:*"]
        try await watch(stock: "stock:sku", user: "half") { owner async throws in
            try await fill(owner, [("stock:1", 5)])
            var command = RedisCommand("ACL", "SETUSER", "half", "on", ">pw")
            for rule in rules { command.append(rule) }
            _ = try await owner.call(slot: 0, command, deadline: .now + .seconds(5))
        } _: { owner, newest async throws in
            try await eventually("the stock is read without INFO") { newest()?.skus.first?.stock == 5 }
            try await eventually("INFO is named") { newest()?.needs(.memory) == "needs +info" }
            #expect(newest()?.alerts.contains { $0.text.contains("+info") } == true)
            _ = try await owner.call(
                slot: 0, RedisCommand("ACL", "SETUSER", "half", "+info"), deadline: .now + .seconds(5))
            try await eventually("it is allowed now") { newest()?.denied == [] && newest()?.ledger.redisBytes != nil }
        }
    }

    /// Stock that a server drops by itself is sold by nobody.
    @Test("a key that expires, and keys that were evicted, are alerts")
    func expiring() async throws {
        try await watch(stock: "stock:sku", ledger: "ledger:sku") { owner async throws in
            try await fill(owner, (0..<120).map { ("stock:\($0)", 5) })
        } _: { owner, newest async throws in
            func alerts() -> [WarRoomSnapshot.Alert] { newest()?.alerts ?? [] }
            try await eventually("all are found") { newest()?.skus.count == 120 }
            #expect(!alerts().contains { $0.kind == .evicted })
            // One that nobody watches is none of our business.
            try await call(owner, "SET", "session:1", "x", "EX", "500")
            try await call(owner, "EXPIRE", "stock:119", "600")
            try await eventually("its end is told", within: .seconds(30)) {
                alerts().contains {
                    $0.kind == .evicted && $0.severity == .bad && $0.text.contains("a key of 119 expires")
                }
            }
            try await call(owner, "PERSIST", "stock:119")
            try await eventually("it is over", within: .seconds(30)) { !alerts().contains { $0.kind == .evicted } }

            try await call(owner, "CONFIG", "SET", "maxmemory-policy", "allkeys-random")
            try await call(owner, "CONFIG", "SET", "maxmemory", "1")
            try? await call(owner, "SET", "more", "x")
            try await eventually("what was dropped is told", within: .seconds(30)) {
                alerts().contains { $0.kind == .evicted && $0.text.contains("EVICTED") }
            }
        }
    }
}

@Suite("Which keys expire")
struct ExpiryWatchTests {
    @Test("all are asked in turn, and those that were found again and again")
    func turns() {
        var watch = ExpiryWatch()
        #expect(watch.turn(count: 0, keysPerSKU: 2).isEmpty)
        var asked: Set<Int> = []
        for _ in 0..<5 {
            let turn = watch.turn(count: 250, keysPerSKU: 2)
            #expect(turn.count == 50 && Set(turn).count == 50)
            asked.formUnion(turn)
        }
        #expect(asked == Set(0..<250))
        watch.take(7, milliseconds: 100)
        watch.take(8, milliseconds: nil)
        for _ in 0..<4 { #expect(watch.turn(count: 250, keysPerSKU: 2).contains(7)) }
        watch.take(7, milliseconds: nil)
        #expect(watch.expiring.isEmpty)
        #expect(watch.turn(count: 3, keysPerSKU: 1).sorted() == [0, 1, 2])
    }
}
