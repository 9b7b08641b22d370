import Checker
import Inventory
import Synchronization

/// What goes wrong in a world, when: drawn from the seed, one fault after the other, until everything is healed.
struct Nemesis: Sendable {
    let executor: SimulationExecutor
    let recorder: Recorder
    let scenario: Scenario
    let sky: Sky
    let nodes: [SimulatedNode]
    let keys: [[UInt8]]
    /// Every process that lives just now.
    let parties: @Sendable () -> [SimulatedProcess]

    /// Troubles the world until then. Whatever it began ends by itself or by healing.
    func run(until end: ContinuousClock.Instant) async {
        var random = SeededRandom(seed: scenario.seed, stream: 2)
        let troubles = Scenario.Trouble.allCases.filter(scenario.troubles.contains)
        guard !troubles.isEmpty else { return }
        await withDiscardingTaskGroup { group in
            let asker = recorder.asker()
            await sleep(random.duration(.milliseconds(20), .milliseconds(500)))
            while executor.now < end {
                let trouble = random.element(troubles)
                let seed = random.next()
                group.addTask { await strike(trouble, SeededRandom(seed: seed), asker: recorder.asker()) }
                await sleep(random.duration(.milliseconds(5), scenario.faultPause * 2))
                if random.chance(0.5) { random.element(nodes).replicate() }
                if random.chance(0.3) { random.element(nodes).persist() }
            }
            _ = asker
        }
    }

    private func sleep(_ duration: Duration) async { try? await executor.sleep(until: executor.now + duration) }

    /// Records a fault around what it does.
    private func fault(_ name: String, _ asker: Int, _ detail: String = "", _ body: () async -> Void) async {
        sky.countFault()
        recorder.add(asker, .fault, .invoke, subject: name, detail: detail.isEmpty ? nil : detail)
        await body()
        recorder.add(asker, .fault, .ok, subject: name)
    }

    private func strike(_ trouble: Scenario.Trouble, _ dice: SeededRandom, asker: Int) async {
        var random = dice
        let parties = parties()
        let node = random.element(nodes)
        switch trouble {
        case .links:
            guard !parties.isEmpty else { return }
            await troubleLinks(random.element(parties), node, &random, asker)
        case .crashes:
            guard !parties.isEmpty else { return }
            let party = random.element(parties)
            let steps = random.chance(0.3) ? 0 : random.pick(1...60)
            await fault("processKill", asker, "\(party.life.name) in \(steps) steps") {
                if steps == 0 { party.life.kill() } else { party.life.die(inSteps: steps) }
            }
        case .stops:
            guard !parties.isEmpty else { return }
            let party = random.element(parties)
            let time = random.duration(.milliseconds(50), random.chance(0.3) ? .seconds(7) : .milliseconds(1_500))
            await fault("processStop", asker, "\(party.life.name) for \(time)") {
                party.life.stop(until: executor.now + time)
                await sleep(time)
            }
        case .dataLoss: await loseData(node, &random, asker)
        case .stalls:
            guard !parties.isEmpty, node.isUp else { return }
            let party = random.element(parties)
            let time = random.duration(.milliseconds(200), .milliseconds(2_500))
            // What the server has by now survives.
            node.replicate()
            node.persist()
            await sleep(random.duration(.milliseconds(2), .milliseconds(60)))
            await fault("processStop", asker, "\(party.life.name) for \(time)") {
                party.life.stop(until: executor.now + time)
                await loseData(node, onlyTail: true, &random, recorder.asker())
                await sleep(time)
            }
        case .keyLoss:
            let stocks = Array("ss_".utf8)
            let key = random.element(scenario.lostKeys == .all ? keys : keys.filter { $0.starts(with: stocks) })
            await fault(Promise.Fault.keyLoss, asker, String(decoding: key, as: UTF8.self)) {
                for node in nodes { node.lose(key) }
            }
        case .sql: await troubleSQL(&random, asker)
        case .lineage:
            if random.chance(0.3) {
                let time = random.duration(.milliseconds(50), .seconds(2))
                await fault("replicationStuck", asker, "\(node.address) for \(time)") {
                    node.replicationIsStuck = true
                    await sleep(time)
                    node.replicationIsStuck = false
                }
            } else if random.chance(0.4) {
                await fault("scriptFlush", asker, "\(node.address)") { node.forgetScripts() }
            } else {
                await fault("replicaAttached", asker, "\(node.address)") { node.changeLineage() }
            }
        case .replicas:
            guard !parties.isEmpty else { return }
            let party = random.element(parties)
            let time = random.duration(.milliseconds(20), .milliseconds(800))
            await fault("replicaAnswers", asker, "\(party.life.name) \(node.address) for \(time)") {
                party.links.misroute(node.number, for: time)
                await sleep(time)
            }
        case .meddling:
            let paid = recorder.paid
            guard !paid.isEmpty else { return }
            let flow = random.element(paid)
            await fault(Promise.Fault.keyLoss, asker, "\(flow) in all ledgers") {
                for key in keys where key.starts(with: Array("sx_".utf8)) {
                    for node in nodes { node.lose(flow.bytes, of: key) }
                }
            }
        case .wallClock:
            guard !parties.isEmpty else { return }
            let party = random.element(parties)
            let offset = Int64(random.pick(-3_600_000...3_600_000))
            await fault("clockJump", asker, "\(party.life.name) by \(offset) ms") {
                party.life.turnWallClock(byMilliseconds: offset)
            }
        }
    }

    private func troubleLinks(
        _ party: SimulatedProcess, _ node: SimulatedNode, _ random: inout SeededRandom, _ asker: Int
    ) async {
        let what = "\(party.life.name) to \(node.address)"
        let time = random.duration(.milliseconds(20), random.chance(0.5) ? .seconds(3) : .milliseconds(300))
        switch random.pick(0...4) {
        case 0: await fault("cut", asker, what) { party.links.cut(node.number) }
        case 1:
            await fault("blackHole", asker, "\(what) for \(time)") {
                party.links.blackHole(node.number, out: time, back: time)
                await sleep(time)
            }
        case 2:
            await fault("requestsHeld", asker, "\(what) for \(time)") {
                party.links.blackHole(node.number, out: time, back: .zero)
                await sleep(time)
            }
        case 3:
            await fault("repliesLost", asker, "\(what) for \(time)") {
                party.links.blackHole(node.number, out: .zero, back: time)
                await sleep(time)
                party.links.cut(node.number)
            }
        default:
            let chance = random.unit() * 0.3
            await fault("delays", asker, "\(time)") {
                sky.change { $0.linkSpikeChance = chance }
                await sleep(time)
                sky.change { $0.linkSpikeChance = 0 }
            }
        }
    }

    private func loseData(
        _ node: SimulatedNode, onlyTail: Bool = false, _ random: inout SeededRandom, _ asker: Int
    ) async {
        guard node.isUp else { return }
        let away =
            onlyTail
            ? random.duration(.microseconds(200), .milliseconds(3))
            : random.duration(.milliseconds(1), random.chance(0.3) ? .seconds(3) : .milliseconds(300))
        let name = "\(node.address)"
        switch onlyTail ? random.pick(1...2) : random.pick(0...5) {
        case 5:
            await fault("masterRestart", asker, "\(name) comes back whole") {
                node.goDown()
                await sleep(away)
                node.comeBackWhole()
            }
        case 0:
            // With a disk or a replica, a mere kill empties nothing: its files were taken from it too.
            let isKill = scenario.durability == .memory || scenario.durability == .durable
            await fault(isKill ? Promise.Fault.masterKill : Promise.Fault.aofCut, asker, "\(name) comes back empty") {
                node.goDown()
                await sleep(away)
                node.comeBackEmpty()
            }
        case 1:
            await fault(Promise.Fault.aofCut, asker, "\(name) comes back older") {
                node.goDown()
                await sleep(away)
                node.comeBackOlder()
            }
        case 2:
            await fault(Promise.Fault.promotion, asker, "\(name) gives way to its replica") {
                node.goDown()
                await sleep(away)
                node.promoteReplica()
            }
        case 3: await fault(Promise.Fault.flushAll, asker, name) { node.flush() }
        default:
            await fault("masterFrozen", asker, name) {
                node.goDown()
                await sleep(away)
                node.comeBack()
            }
        }
        // Whoever recovers may die over it.
        let parties = parties()
        if !onlyTail, random.chance(0.3), !parties.isEmpty {
            let party = random.element(parties)
            let steps = random.pick(1...40)
            await fault("processKill", asker, "\(party.life.name) in \(steps) steps") { party.life.die(inSteps: steps) }
        }
    }

    private func troubleSQL(_ random: inout SeededRandom, _ asker: Int) async {
        let time = random.duration(.milliseconds(50), random.chance(0.3) ? .seconds(4) : .milliseconds(800))
        let chance = 0.05 + random.unit() * 0.5
        switch random.pick(0...3) {
        case 0:
            await fault("sqlDown", asker, "\(time)") {
                sky.change { $0.storeIsDown = true }
                await sleep(time)
                sky.change { $0.storeIsDown = false }
            }
        case 1:
            await fault("sqlLocked", asker, "\(time)") {
                sky.change { $0.storeRefuses = chance }
                await sleep(time)
                sky.change { $0.storeRefuses = 0 }
            }
        case 2:
            await fault("sqlSlow", asker, "\(time)") {
                sky.change { $0.storeSpikeChance = chance }
                await sleep(time)
                sky.change { $0.storeSpikeChance = 0 }
            }
        default:
            await fault("commitReplyLost", asker, "\(time)") {
                sky.change { $0.storeLosesAnswer = chance }
                await sleep(time)
                sky.change { $0.storeLosesAnswer = 0 }
            }
        }
    }
}
