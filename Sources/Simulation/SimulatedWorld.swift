public import Checker
import Deduction
import Foundation
import Inventory
import Operations
import OrderStore
import Reconciliation
import Redis
import RedisModel
import Synchronization

/// One seed's world from its beginning to its judgement: servers, processes, buyers, an operator, faults, healing, the end.
final class SimulatedWorld: Sendable {
    /// Jobs and timers of one world; beyond it somebody runs in circles.
    static let stepsMax = 1_000_000
    /// How long the world waits for agreeing books after healing before it leaves the judgement to the checker.
    static let settleMax = Duration.seconds(25)
    /// How long buyers may take to come to an end after healing.
    static let patienceMax = Duration.seconds(120)

    let scenario: Scenario
    let plant: Plant
    let executor: SimulationExecutor
    let recorder: Recorder
    let sky: Sky
    let nodes: [SimulatedNode]
    let books: any OrderStore
    private let tables: SQLiteMemory
    private let booksTime: BooksTime

    private struct State {
        var processes: [Int: SimulatedProcess] = [:]
        var isOver = false
        var isHealed = false
        var comparisons: [FinalState.Comparison] = []
        var closedBooks: FinalState.ClosedBooks?
        var buyersLeft = 0
        var failure: String?
    }
    private let state = Mutex(State())

    /// - Parameters:
    ///   - machine: runs the scripts; of the thread that calls.
    ///   - tables: hold the order store; of the thread that calls, and of no world that still lives.
    init(scenario: Scenario, plant: Plant?, machine: ScriptMachine, tables: SQLiteMemory) throws {
        var scenario = scenario
        let plant = plant ?? .nothing
        plant.scenario(&scenario)
        self.scenario = scenario
        self.plant = plant
        self.tables = tables
        let executor = SimulationExecutor(seed: scenario.seed)
        self.executor = executor
        recorder = Recorder(executor: executor)
        sky = Sky(random: SeededRandom(seed: scenario.seed, stream: 3))
        nodes = (0..<scenario.nodes).map {
            SimulatedNode(
                number: $0, random: SeededRandom(seed: scenario.seed, stream: 10 + UInt64($0)),
                durability: scenario.durability, machine: machine)
        }
        booksTime = BooksTime(executor: executor)
        books = try tables.makeStore(clock: SaleClock(booksTime))
    }

    func run() -> WorldReport {
        sky.change { $0.storeDelay = $0.storeDelay.lowerBound...scenario.storeDelayMax }
        let ending = executor.run(stepsMax: Self.stepsMax) { [self] in
            do { try await live() } catch { fail("the world could not be run: \(error)") }
        }
        switch ending {
        case .finished: break
        case .stuck: fail("the world stood still: somebody waits for what never comes")
        case .tooLong: fail("the world did not end within \(Self.stepsMax) steps")
        }
        return report()
    }

    private func fail(_ why: String) { state.withLock { $0.failure = $0.failure ?? why } }

    // MARK: The course of things

    private func live() async throws {
        let sale = try await makeSale()
        await withDiscardingTaskGroup { group in
            for number in 0..<scenario.processes { group.addTask { [self] in await keepAlive(number) } }
            await open()
            let crowd = Crowd(
                executor: executor, recorder: recorder, catalogue: sale, scenario: scenario,
                parties: { [self] in parties }, isHealed: { [self] in state.withLock { $0.isHealed } })
            state.withLock { $0.buyersLeft = scenario.buyers }
            for buyer in 0..<scenario.buyers {
                group.addTask { [self] in
                    await crowd.visit(buyer)
                    state.withLock { $0.buyersLeft -= 1 }
                }
            }
            let theOperator = SimulatedOperator(
                executor: executor, recorder: recorder, catalogue: sale, scenario: scenario,
                parties: { [self] in parties })
            await withDiscardingTaskGroup { troubles in
                troubles.addTask { [self] in await nemesis(sale).run(until: executor.now + scenario.rush) }
                troubles.addTask { await theOperator.run() }
            }
            heal()
            await theOperator.end()
            if scenario.troubles.contains(.meddling) { await theOperator.repairAll() }
            await withDiscardingTaskGroup { end in
                end.addTask { [self] in await agree() }
                end.addTask { [self] in await buyersLeave() }
            }
            await outliveReservations()
            await settle()
            await probe(crowd)
            await outliveReservations()
            await settle()
            if scenario.closing != .never {
                let books = await theOperator.closeForGood()
                state.withLock { $0.closedBooks = books }
                if books == nil { fail("the sale could not be closed: nobody heard any books") }
                // Nobody sells any more.
                await probe(crowd)
            }
            state.withLock { $0.isOver = true }
            for process in state.withLock({ $0.processes }).sorted(by: { $0.key < $1.key }) {
                process.value.life.kill()
            }
        }
    }

    private func makeSale() async throws -> Catalogue {
        _ = try await books.createSale(
            SaleDraft(
                name: "simulated", durability: scenario.durability,
                skus: scenario.units.enumerated().map { position, units in
                    .init(
                        sku: "sku\(position + 1)", name: "SKU \(position + 1)",
                        tag: "t\(position % scenario.buckets + 1)", allocated: units,
                        limitPerBuyer: scenario.limits.isEmpty ? nil : scenario.limits[position])
                }, whileFenced: scenario.durability == .durable ? scenario.whileFenced : .tryAgain,
                reservationTimeoutMilliseconds: scenario.reservationTimeout.map { $0.microseconds / 1_000 },
                latePayments: scenario.latePayments, identity: SaleIdentity(rawValue: "simulated")))
        _ = try await books.setSaleState(from: [.warmed], to: .open)
        return try await books.catalogue()
    }

    /// Loads every bucket.
    private func open() async {
        while true {
            if let party = parties.first {
                let loaded: Bool? = await party.ask(patience: .seconds(20)) { service in
                    do {
                        _ = try await service.warm()
                        return true
                    } catch { return false }
                }
                if loaded == true { return }
            }
            await sleep(.milliseconds(20))
        }
    }

    /// One place where a process runs, and runs again after each death.
    private func keepAlive(_ place: Int) async {
        var random = SeededRandom(seed: scenario.seed, stream: 100 + UInt64(place))
        var life = 0
        while !state.withLock({ $0.isOver }) {
            life += 1
            let process = makeProcess(place, life)
            state.withLock { $0.processes[place] = process }
            await process.run()
            await sleep(random.duration(.milliseconds(20), .milliseconds(900)))
        }
    }

    private func makeProcess(_ place: Int, _ number: Int) -> SimulatedProcess {
        let life = ProcessLife(name: "p\(place + 1).\(number)", executor: executor)
        let links = SimulatedRedis(life: life, nodes: nodes, sky: sky, alter: plant.script)
        var options = SaleService.Options()
        options.worker.interval = .milliseconds(40)
        options.worker.trimInterval = .milliseconds(200)
        options.comparePeriod = .seconds(1)
        options.latePayments.interval = .milliseconds(250)
        options.latePayments.patience = .milliseconds(1_500)
        if let horizon = scenario.horizon {
            options.archive.horizon = horizon
            options.archive.interval = .milliseconds(200)
        }
        let ports = plant.ports((links, SimulatedStore(base: books, time: booksTime, life: life, sky: sky)))
        return SimulatedProcess(
            number: place, life: life, links: links, redis: ports.redis, store: ports.store, options: options,
            tell: { [recorder] in recorder.add(0, .start, .info, subject: life.name, detail: $0) })
    }

    /// Processes that live, in order.
    private var parties: [SimulatedProcess] {
        let all = state.withLock { $0.processes }
        return all.keys.sorted().compactMap { all[$0] }.filter { $0.life.isAlive }
    }

    private func nemesis(_ catalogue: Catalogue) -> Nemesis {
        let keys = catalogue.buckets.flatMap { bucket in
            let keys = BucketKeys(bucket: bucket, catalogue: catalogue)
            return [keys.control, keys.outbox] + keys.stocks + keys.ledgers
        }
        return Nemesis(
            executor: executor, recorder: recorder, scenario: scenario, sky: sky, nodes: nodes, keys: keys,
            parties: { [self] in parties })
    }

    private func heal() {
        sky.change { $0 = Weather() }
        for node in nodes where !node.isUp { node.comeBack() }
        for party in parties {
            party.life.heal()
            party.links.heal()
        }
        let asker = recorder.asker()
        recorder.add(asker, .heal, .invoke)
        recorder.add(asker, .heal, .ok)
        state.withLock { $0.isHealed = true }
    }

    /// Waits until no reservation can end by its deadline any more: it would do so between two readings of the end.
    private func outliveReservations() async {
        // A sweeper believes a jumped clock only after one more of them.
        if let timeout = scenario.reservationTimeout { await sleep(timeout * 2 + .seconds(1)) }
    }

    private func buyersLeave() async {
        let giveUpAt = executor.now + Self.patienceMax
        while state.withLock({ $0.buyersLeft > 0 }) {
            guard executor.now < giveUpAt else {
                return fail(
                    "\(state.withLock { $0.buyersLeft }) buyers still had no final answer \(Self.patienceMax) after healing"
                )
            }
            await sleep(.milliseconds(100))
        }
    }

    /// Compares until the books agree for the first time, while the last buyers are still there.
    private func agree() async {
        let giveUpAt = executor.now + Self.settleMax
        while executor.now < giveUpAt {
            if let (comparison, isWhole) = await compare(), isWhole, comparison.driftUnits == 0 { return }
            await sleep(.milliseconds(250))
        }
    }

    /// Waits until the books agree and nothing is on its way.
    private func settle() async {
        let giveUpAt = executor.now + Self.settleMax
        while executor.now < giveUpAt {
            // In this order: a give-back that pends writes one more entry, which a comparison made before it does not know.
            if await nothingPends(), let (comparison, isWhole) = await compare(), isWhole, comparison.findings.isEmpty,
                await everythingIsDrained()
            {
                return
            }
            await sleep(.milliseconds(150))
        }
    }

    private func compare() async -> (Comparison, isWhole: Bool)? {
        guard let party = parties.first,
            let comparison = await party.ask(patience: .seconds(10), { await $0.compare(ledgers: true) })
        else { return nil }
        let isWhole = comparison.unread.isEmpty && comparison.cuts == scenario.buckets
        let detail = comparison.drifts.first?.sentence ?? comparison.unread.min { $0.key < $1.key }?.value
        state.withLock {
            $0.comparisons.append(
                .init(
                    at: recorder.at, driftUnits: comparison.driftUnits, causedUnits: comparison.causedUnits,
                    isWhole: isWhole, detail: detail))
        }
        return (comparison, isWhole)
    }

    private func nothingPends() async -> Bool {
        let restocks = try? await books.pendingRestocks()
        let giveBacks = try? await books.pendingGiveBacks(limit: 1)
        let payments = try? await books.paymentTotals()
        let halfDone = try? await books.halfDone(limit: 1)
        return restocks?.isEmpty == true && giveBacks?.isEmpty == true && payments?.waiting == 0
            && payments?.reservingAgain == 0 && halfDone?.isEmpty == true
    }

    /// An entry without units, such as a tombstone's, is no finding while SQL lacks it; and a call that lies on a broken connection
    /// may write one much later.
    private func everythingIsDrained() async -> Bool {
        guard sky.lateUntil.map({ $0 < executor.now }) ?? true, let records = try? await books.buckets(),
            let sale = try? await books.catalogue()
        else { return false }
        return records.allSatisfy { record in
            guard let tag = sale[record.bucket]?.tag else { return false }
            let control = Array("sc_{\(tag)}".utf8)
            let node = nodes[HashSlot.of(control) * nodes.count / HashSlot.count]
            return node.read(Array("HGET".utf8), control, Array("n".utf8)).int == record.drainedN
        }
    }

    /// Buys a unit of everything that is left: "sold out" would be false now.
    private func probe(_ crowd: Crowd) async {
        for (number, entry) in crowd.catalogue.entries.enumerated() { await crowd.probe(entry, number) }
    }

    private func sleep(_ duration: Duration) async { try? await executor.sleep(until: executor.now + duration) }

    // MARK: Judgement

    private func report() -> WorldReport {
        var final = FinalState()
        do {
            final = try FinalStateReader(tables: tables) { [nodes] slot in
                nodes[slot * nodes.count / HashSlot.count]
            }.read()
        } catch {
            final.unread.append("the books cannot be read: \(error)")
        }
        let (comparisons, failure) = state.withLock { ($0.comparisons, $0.failure) }
        final.comparisons = comparisons
        final.closedBooks = state.withLock { $0.closedBooks }
        if let failure { final.unread.append(failure) }
        for index in final.skus.indices {
            let number = Int(final.skus[index].sku.rawValue) - 1
            if scenario.units.indices.contains(number) { final.skus[index].allocatedAtStart = scenario.units[number] }
            if scenario.limits.indices.contains(number) { final.skus[index].limitPerBuyer = scenario.limits[number] }
        }
        var promise = Promise(scenario.durability)
        promise.acknowledgedPerSecondMin = nil
        promise.reservationTimeoutMicroseconds = scenario.reservationTimeout?.microseconds
        // The one replica that WAIT counts is the one that is promoted here.
        if scenario.durability.replicas > 0 { promise.losesAfter.remove(Promise.Fault.promotion) }
        let history = History(events: recorder.events)
        return WorldReport(
            seed: scenario.seed, verdict: Checker.check(history: history, final: final, promise: promise),
            history: history.events, final: final, faults: sky.faults, steps: executor.steps, trace: executor.trace,
            virtualTime: executor.start.duration(to: executor.now))
    }
}

/// What became of one seed.
public struct WorldReport: Sendable {
    public let seed: UInt64
    public let verdict: Verdict
    public let history: [HistoryEvent]
    public let final: FinalState
    /// Faults that were put in, those of single calls included.
    public let faults: Int
    public let steps: Int
    /// A digest of every choice and event: equal for equal worlds.
    public let trace: UInt64
    public let virtualTime: Duration
}
