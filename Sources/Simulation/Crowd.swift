import Checker
import Deduction
import Inventory
import Operations
import OrderStore
import Synchronization

/// The buyers of a world, each with one order and a way of their own: who asks twice, who gives up and cancels, who cancels
/// before the order arrives, who uses a flow for another order, who pays, whose payment fails.
struct Crowd: Sendable {
    /// After how many unheard or unknown answers a buyer gives up and cancels.
    static let attemptsMax = 6
    /// A payment for an order that SQL does not know yet is tried this often.
    static let paymentsMax = 20

    let executor: SimulationExecutor
    let recorder: Recorder
    let catalogue: Catalogue
    let scenario: Scenario
    /// Processes that can be asked just now.
    let parties: @Sendable () -> [SimulatedProcess]
    /// Whether nothing is broken any more.
    let isHealed: @Sendable () -> Bool

    /// One buyer's whole visit.
    func visit(_ number: Int) async {
        var random = SeededRandom(seed: scenario.seed, stream: 1_000 + UInt64(number))
        if random.chance(scenario.stragglers) {
            while !isHealed() { await sleep(.milliseconds(20)) }
            await sleep(random.duration(.zero, .milliseconds(800)))
        } else {
            await sleep(random.duration(.zero, scenario.rush))
        }
        let order = makeOrder(number, &random)
        let asker = recorder.asker()
        switch random.unit() {
        case ..<(0.80 - scenario.doubleClicks): await buy(order, asker, .first, &random)
        case ..<0.80: await buyTwice(order, asker, &random)
        case ..<0.86: await cancelFirst(order, asker, &random)
        case ..<0.92: await reuseFlow(order, asker, &random)
        default: await changeMind(order, asker, &random)
        }
        // Long afterwards: the ledgers may have forgotten the flow, its answer is the same.
        guard random.chance(scenario.returns) else { return }
        await sleep(random.duration(.zero, (scenario.horizon ?? .milliseconds(300)) * 3))
        if case .unknown = await attempt(order, .afterUnknown, asker, &random) { await cancel(order, asker, &random) }
    }

    // MARK: Ways of buying

    private func buy(
        _ order: Order, _ asker: Int, _ attempt: Attempt, _ random: inout SeededRandom
    ) async {
        let start = executor.now
        switch await insist(order, asker, attempt, &random) {
        case .done:
            let isSimple = attempt == .first && executor.now - start < .milliseconds(20)
            await sleep(random.duration(.zero, .milliseconds(1_500)))
            let succeeds = !random.chance(scenario.paymentFailure)
            await pay(order, succeeds: succeeds, asker, &random)
            if succeeds, isSimple { recorder.notePaid(order.flow) }
        case .refused: return
        case .unknown: await cancel(order, asker, &random)
        }
    }

    /// A double click: the same order under the same flow, at once or soon after, at one engine or at several.
    private func buyTwice(_ order: Order, _ asker: Int, _ random: inout SeededRandom) async {
        let party = random.chance(0.6) ? await somebody(&random) : nil
        await withTaskGroup(of: Void.self) { group in
            for click in 0..<random.pick(2...4) {
                let seed = random.next()
                group.addTask {
                    var random = SeededRandom(seed: seed)
                    // At once, or because nothing seems to happen.
                    if click > 0, random.chance(0.5) { await sleep(random.duration(.zero, .milliseconds(500))) }
                    _ = await attempt(order, .repeated, recorder.asker(), at: party, &random)
                }
            }
        }
        // Whoever heard what: a third look tells.
        await buy(order, asker, .afterUnknown, &random)
    }

    /// The cancellation overtakes the order.
    private func cancelFirst(_ order: Order, _ asker: Int, _ random: inout SeededRandom) async {
        let other = recorder.asker()
        let (first, second) = (random.next(), random.next())
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var random = SeededRandom(seed: first)
                await cancel(order, other, &random)
            }
            group.addTask {
                var random = SeededRandom(seed: second)
                await sleep(random.duration(.zero, .milliseconds(20)))
                _ = await insist(order, asker, .repeated, &random)
            }
        }
    }

    /// Another order under a flow that is taken: it must hear `conflict`, whoever was first.
    private func reuseFlow(_ order: Order, _ asker: Int, _ random: inout SeededRandom) async {
        let outcome = await insist(order, asker, .first, &random)
        let line = order.lines[0]
        let other = Order(
            trustedFlow: order.flow, bucket: order.bucket,
            sortedLines: [OrderLine(sku: line.sku, quantity: line.quantity + 1)], buyer: order.buyer)
        if case .done = outcome {
            _ = await attempt(other, .repeated, recorder.asker(), &random)
            await pay(order, succeeds: true, asker, &random)
        } else if case .unknown = outcome {
            await cancel(order, asker, &random)
        }
    }

    /// Bought, and then returned before it was paid for.
    private func changeMind(_ order: Order, _ asker: Int, _ random: inout SeededRandom) async {
        if case .refused = await insist(order, asker, .first, &random) { return }
        await sleep(random.duration(.zero, .milliseconds(300)))
        await cancel(order, asker, &random)
    }

    // MARK: Asking

    /// Asks until there is an answer, or too often.
    private func insist(
        _ order: Order, _ asker: Int, _ first: Attempt, _ random: inout SeededRandom
    ) async -> DeductionOutcome {
        var next = first
        for _ in 0..<Self.attemptsMax {
            let outcome = await attempt(order, next, asker, &random)
            switch outcome {
            case .done: return outcome
            case .refused(.fenced), .refused(.unreachable), .refused(.halted), .refused(.overloaded),
                .refused(.notLoaded):
                // Surely not done: perhaps the door opens in a moment.
                guard random.chance(0.6) else { return outcome }
                if next == .first { next = .repeated }
            case .refused: return outcome
            case .unknown: next = .afterUnknown
            }
            await sleep(random.duration(.milliseconds(10), .milliseconds(400)))
        }
        return next == .afterUnknown ? .unknown(.replyLost) : .refused(.unreachable)
    }

    /// One question to one engine. Who hears nothing in time, or whose engine dies, knows nothing; the engine may go on.
    private func attempt(
        _ order: Order, _ attempt: Attempt, _ asker: Int, at wanted: SimulatedProcess? = nil,
        _ random: inout SeededRandom
    ) async -> DeductionOutcome {
        let party: SimulatedProcess
        if let wanted { party = wanted } else { party = await somebody(&random) }
        let patience = random.chance(0.3) ? random.duration(.milliseconds(100), .seconds(2)) : .seconds(8)
        recorder.add(
            .asking(
                order.flow, order.allLines, at: recorder.at, process: asker, isRetry: attempt == .afterUnknown,
                buyer: order.buyer.map { Int64($0.low) }))
        let outcome = await party.ask(patience: patience) { service in
            await service.engine.deduct(order, attempt: attempt)
        }
        guard let outcome else {
            recorder.add(asker, .deduct, .info, flow: order.flow, answer: "notHeard")
            return .unknown(.replyLost)
        }
        recorder.add(.heard(outcome, order.flow, at: recorder.at, process: asker))
        return outcome
    }

    private func pay(_ order: Order, succeeds: Bool, _ asker: Int, _ random: inout SeededRandom) async {
        for attempt in 1... {
            let party = await somebody(&random)
            recorder.add(asker, .pay, .invoke, flow: order.flow, lines: order.allLines, flag: succeeds)
            let results = await party.ask(patience: .seconds(8)) { service in
                await service.engine.record([Payment(order: order, succeeded: succeeds)])
            }
            guard let results, let result = results?.first else {
                recorder.add(asker, .pay, .info, flow: order.flow)
                await sleep(random.duration(.milliseconds(10), .milliseconds(300)))
                if !succeeds, random.chance(scenario.secondCards) {
                    // Another card: whichever of the two SQL hears of first decides.
                    return await pay(order, succeeds: true, asker, &random)
                }
                continue
            }
            switch result {
            case .confirmed:
                recorder.add(asker, .pay, .ok, flow: order.flow, answer: HistoryEvent.Answer.confirmed)
                return
            case .cancelled:
                recorder.add(asker, .pay, .ok, flow: order.flow, answer: HistoryEvent.Answer.cancelled)
                return
            case .already(let sold):
                recorder.add(
                    asker, .pay, sold == succeeds ? .ok : .fail, flow: order.flow,
                    answer: sold == succeeds
                        ? (sold ? HistoryEvent.Answer.confirmed : HistoryEvent.Answer.cancelled)
                        : (sold ? HistoryEvent.Answer.sold : HistoryEvent.Answer.cancelled))
                return
            case .waiting, .reservingAgain:
                // SQL keeps it: until its order comes, or cannot come any more, or its lines are had once more.
                recorder.add(asker, .pay, .info, flow: order.flow, answer: "waiting")
                guard attempt < Self.paymentsMax else { return }
                await sleep(.milliseconds(200))
            case .reservedAgain:
                recorder.add(asker, .pay, .ok, flow: order.flow, answer: HistoryEvent.Answer.reservedAgain)
                return
            case .refunded:
                recorder.add(asker, .pay, .ok, flow: order.flow, answer: HistoryEvent.Answer.refunded)
                return
            }
        }
    }

    /// Cancels until it was answered: before that a "no" is not final.
    private func cancel(_ order: Order, _ asker: Int, _ random: inout SeededRandom) async {
        while true {
            let party = await somebody(&random)
            recorder.add(asker, .cancel, .invoke, flow: order.flow, lines: order.allLines)
            let outcome = await party.ask(patience: .seconds(8)) { await $0.engine.cancel(order) }
            switch outcome {
            case .cancelled?:
                recorder.add(asker, .cancel, .ok, flow: order.flow, answer: HistoryEvent.Answer.cancelled)
                return
            case .sold?:
                recorder.add(asker, .cancel, .fail, flow: order.flow, answer: HistoryEvent.Answer.sold)
                return
            case .conflict?:
                recorder.add(asker, .cancel, .fail, flow: order.flow, answer: HistoryEvent.Answer.conflict)
                return
            case .unknown?, nil:
                recorder.add(asker, .cancel, .info, flow: order.flow)
                await sleep(random.duration(.milliseconds(20), .milliseconds(400)))
            }
        }
    }

    /// Buys one unit when all is calm.
    func probe(_ entry: CatalogueEntry, _ number: Int) async {
        var random = SeededRandom(seed: scenario.seed, stream: 900 + UInt64(number))
        let flow = FlowID(
            high: executor.unixMilliseconds << 16 | 0x7000 | 0x800 | UInt64(number & 0x7ff),
            low: random.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000)
        let order = Order(
            trustedFlow: flow, bucket: entry.bucket, sortedLines: [OrderLine(sku: entry.number, quantity: 1)],
            buyer: buyer(scenario.people + 1 + number))
        let asker = recorder.asker()
        if case .unknown = await insist(order, asker, .first, &random) { await cancel(order, asker, &random) }
    }

    private func somebody(_ random: inout SeededRandom) async -> SimulatedProcess {
        while true {
            let parties = parties()
            if !parties.isEmpty { return random.element(parties) }
            await sleep(.milliseconds(50))
        }
    }

    private func sleep(_ duration: Duration) async { try? await executor.sleep(until: executor.now + duration) }

    // MARK: Orders

    private func makeOrder(_ number: Int, _ random: inout SeededRandom) -> Order {
        // The first SKU is the one that everybody wants.
        let entries = catalogue.entries
        let entry = random.chance(0.45) ? entries[0] : random.element(entries)
        var lines = [OrderLine(sku: entry.number, quantity: quantity(&random))]
        if random.chance(0.3), let bucket = catalogue[entry.bucket] {
            for other in bucket.skus where other != entry.number && random.chance(0.6) {
                lines.append(OrderLine(sku: other, quantity: quantity(&random)))
            }
            lines.sort { $0.sku < $1.sku }
        }
        let flow = FlowID(
            high: executor.unixMilliseconds << 16 | 0x7000 | UInt64(number & 0xfff),
            low: random.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000)
        // Now and then from another bucket too: all or nothing across buckets.
        let other = random.element(entries)
        let buyer = buyer(random.pick(1...scenario.people))
        if random.chance(0.15), other.bucket != entry.bucket {
            let more = lines + [OrderLine(sku: other.number, quantity: quantity(&random))]
            if let wide = try? Order.across(flow: flow, lines: more, catalogue: catalogue, buyer: buyer) { return wide }
        }
        return Order(trustedFlow: flow, bucket: entry.bucket, sortedLines: lines, buyer: buyer)
    }

    /// Who somebody is, where limits count.
    private func buyer(_ person: Int) -> BuyerID? {
        scenario.limits.isEmpty ? nil : BuyerID(high: 0, low: UInt64(person))
    }

    private func quantity(_ random: inout SeededRandom) -> Int32 { random.chance(0.75) ? 1 : Int32(random.pick(2...3)) }
}
