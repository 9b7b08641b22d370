import Checker
import Inventory
import Operations
import OrderStore
import Reconciliation
import Synchronization

/// Who restocks, freezes and halts in the middle of it all, and puts everything on sale again at the end.
struct SimulatedOperator: Sendable {
    let executor: SimulationExecutor
    let recorder: Recorder
    let catalogue: Catalogue
    let scenario: Scenario
    let parties: @Sendable () -> [SimulatedProcess]

    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await act() }
            if scenario.closing == .inTheRush { group.addTask { await closeInTheRush() } }
        }
    }

    private func act() async {
        var random = SeededRandom(seed: scenario.seed, stream: 4)
        var reversing = SeededRandom(seed: scenario.seed, stream: 7)
        if scenario.troubles.contains(.meddling) {
            let end = executor.now + scenario.rush
            while executor.now < end {
                await sleep(random.duration(.milliseconds(50), .milliseconds(400)))
                await repair(&random)
            }
        }
        for _ in 0..<scenario.acts {
            await sleep(random.duration(.milliseconds(20), scenario.actPause))
            let sku = random.element(catalogue.entries).number
            if random.chance(scenario.rebuilds) {
                // A bucket that sells, rebuilt by somebody's hand.
                let bucket = random.element(catalogue.buckets).number
                await act(.recover, &random) { (try? await $0.recoverer.recover(bucket)) != nil }
                continue
            }
            switch random.unit() {
            case ..<0.55:
                let units = Int64(random.pick(1...6))
                if reversing.chance(scenario.reversals) {
                    await act(.reverseRestock, lines: [OrderLine(sku: sku, quantity: Int32(units))], &random) {
                        service in
                        await service.control.restock(sku, units: -units).succeeded
                    }
                    continue
                }
                await act(.restock, lines: [OrderLine(sku: sku, quantity: Int32(units))], &random) { service in
                    await service.control.restock(sku, units: units).succeeded
                }
            case ..<0.8:
                await setFrozen(sku, true, &random)
                await sleep(random.duration(.milliseconds(10), .milliseconds(500)))
                await setFrozen(sku, false, &random)
            default:
                await setState(.halt, &random)
                await sleep(random.duration(.milliseconds(10), .milliseconds(500)))
                await setState(.open, &random)
            }
        }
    }

    /// Mends what two comparisons agree on, as `reconcile --repair` does.
    private func repair(_ random: inout SeededRandom) async {
        await act(.repair, &random) { service in
            let first = await service.compare(ledgers: true)
            let second = await service.compare(ledgers: true)
            let plan = RepairPlan(agreeing: first, second, catalogue: service.catalogue)
            let done = await service.apply(plan)
            return first.unread.isEmpty && done.repairs.allSatisfy { $0.state != .failed }
        }
    }

    /// Somebody's meddling is mended once nobody meddles any more.
    func repairAll() async {
        var random = SeededRandom(seed: scenario.seed, stream: 6)
        for _ in 0..<3 {
            await sleep(.milliseconds(300))
            await repair(&random)
        }
    }

    /// Everything is on sale again: whatever of the acts before had failed.
    func end() async {
        guard scenario.acts > 0 || scenario.closing == .inTheRush else { return }
        var random = SeededRandom(seed: scenario.seed, stream: 5)
        for entry in catalogue.entries { await setFrozen(entry.number, false, untilDone: true, &random) }
        if scenario.closing == .inTheRush {
            await closeState(untilDone: true, &random)
        } else {
            await setState(.open, untilDone: true, &random)
        }
    }

    /// Freezes or thaws. Now and then whoever does it dies when SQL has it and Redis has not.
    private func setFrozen(
        _ sku: SKUNumber, _ frozen: Bool, untilDone: Bool = false, _ random: inout SeededRandom
    ) async {
        let dies = random.chance(scenario.actorDies)
        await act(frozen ? .freeze : .thaw, untilDone: untilDone, &random) { service in
            if dies { return (try? await service.store.setFrozen(sku, frozen)) != nil }
            if await service.control.setFrozen(sku, frozen).succeeded { return true }
            // Of a sale that was closed meanwhile nothing is frozen or thawed any more: that is its answer, not an obstacle.
            return (try? await service.store.sale())??.state == .closed
        }
    }

    /// Halts or opens, likewise.
    private func setState(
        _ operation: HistoryEvent.Operation, untilDone: Bool = false, _ random: inout SeededRandom
    ) async {
        let dies = random.chance(scenario.actorDies)
        let isOpening = operation == .open
        await act(operation, untilDone: untilDone, &random) { service in
            if dies {
                return
                    (try? await service.store.setSaleState(
                        from: isOpening ? [.warmed, .halted] : [.open], to: isOpening ? .open : .halted)) != nil
            }
            return await (isOpening ? service.control.open() : service.control.halt()).succeeded
        }
    }

    func act(
        _ operation: HistoryEvent.Operation, lines: [OrderLine] = [], untilDone: Bool = false,
        _ random: inout SeededRandom, _ body: @escaping @Sendable (SaleService) async -> Bool
    ) async {
        let asker = recorder.asker()
        for _ in 0..<200 {
            let parties = parties()
            guard !parties.isEmpty else {
                await sleep(.milliseconds(50))
                continue
            }
            recorder.add(asker, operation, .invoke, lines: lines)
            let succeeded = await random.element(parties).ask(patience: .seconds(8), body)
            recorder.add(asker, operation, succeeded == true ? .ok : .info)
            if succeeded == true || !untilDone { return }
            await sleep(.milliseconds(100))
        }
    }

    func sleep(_ duration: Duration) async { try? await executor.sleep(until: executor.now + duration) }
}
