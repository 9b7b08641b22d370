import Checker
import Deduction
import Inventory

/// One buyer of the rig: asks, pays, cancels, asks again, and writes down all of it; one question at a time.
struct TortureBuyer {
    /// What a buyer remembers of an order.
    private struct Entry {
        let flow: FlowID
        let lines: [OrderLine]
        /// The person for whom it is.
        let person: Int64
        /// Told yes, told no, or neither yet.
        var isDone: Bool?
        /// What was asked last to end it, and not answered yet.
        var ending: Ending?
    }

    private enum Ending: Equatable {
        case pay(Bool)
        case cancel
    }

    private static let patience = Duration.seconds(6)
    private static let retriesMax = 4
    /// Old yeses that are asked again at the end.
    private static let askedAgainMax = 25

    let process: Int
    let sale: TortureSale
    let engines: [Party]
    let record: TortureRecord
    private var random: SplitMix64
    private var flows = FlowIDGenerator()
    private var entries: [Entry] = []
    private let clock = ContinuousClock()

    init(process: Int, sale: TortureSale, engines: [Party], record: TortureRecord, seed: UInt64) {
        self.process = process
        self.sale = sale
        self.engines = engines
        self.record = record
        random = SplitMix64(seed: seed &* 0x1_0000_0001 &+ UInt64(process) << 32)
    }

    // MARK: The sale

    /// Buys until `stop` says so, with `pause` milliseconds between two orders on average.
    mutating func buy(pauseMilliseconds pause: Double, until stop: @Sendable () -> Bool) async {
        while !stop() {
            await oneOrder(until: stop)
            try? await clock.sleep(for: .microseconds(Int64(pause * 2_000 * random.unit())))
        }
    }

    private mutating func oneOrder(until stop: @Sendable () -> Bool) async {
        let position = entries.count
        let flow = flows.next(milliseconds: WallClock.milliseconds, random: random.next())
        entries.append(
            Entry(flow: flow, lines: drawLines(), person: 1 + Int64(random.next() % TortureSale.people)))
        let kind = random.unit()
        // A cancellation that comes before its order forbids it.
        if kind < 0.03 { await end(position, .cancel) }
        for attempt in 0..<Self.retriesMax where entries[position].isDone == nil && !stop() {
            if attempt > 0 { try? await clock.sleep(for: .milliseconds(Int64(20 + random.unit() * 200))) }
            await ask(position, attempt > 0 ? .afterUnknown : kind < 0.03 ? .repeated : .first)
        }
        guard entries[position].isDone == true, !stop() else {
            if entries[position].isDone == nil, kind < 0.2 { await end(position, .cancel) }
            return
        }
        switch random.unit() {
        case ..<0.35: await end(position, .pay(true))
        case ..<0.5: await end(position, .pay(false))
        case ..<0.65: await end(position, .cancel)
        case ..<0.7: await ask(position, .afterUnknown)
        case ..<0.73: await askForMore(position)
        case ..<0.78: if let old = entries.indices.randomElement(using: &random) { await askAgain(old) }
        default: break
        }
    }

    private mutating func drawLines() -> [OrderLine] {
        let bucket = sale.buckets.randomElement(using: &random)!
        var skus = bucket.skus.shuffled(using: &random)
        if random.unit() < 0.3 { skus.sort { $0.isHot && !$1.isHot } }
        var wanted = Array(skus.prefix(random.unit() < 0.8 ? 1 : 2))
        // Some want something of another bucket as well.
        if random.unit() < 0.15 {
            let other = sale.buckets.randomElement(using: &random)!
            if other.tag != bucket.tag { wanted.append(other.skus.randomElement(using: &random)!) }
        }
        return wanted.map {
            OrderLine(sku: $0.number, quantity: Int32(1 + random.next() % 3))
        }.sorted { $0.sku < $1.sku }
    }

    /// The same flow with other units: a conflict.
    private mutating func askForMore(_ position: Int) async {
        let lines = entries[position].lines.map { OrderLine(sku: $0.sku, quantity: $0.quantity + 3) }
        _ = await question(.deduct, position, lines, flag: nil)
    }

    private mutating func askAgain(_ position: Int) async {
        if entries[position].isDone == true { await ask(position, .afterUnknown) }
    }

    // MARK: Questions

    private mutating func ask(_ position: Int, _ attempt: Attempt) async {
        let answer = await question(
            .deduct, position, entries[position].lines, flag: attempt == .afterUnknown, isFirst: attempt == .first)
        guard entries[position].isDone == nil else { return }
        switch answer?.kind {
        case .ok: entries[position].isDone = true
        case .fail: entries[position].isDone = false
        default: break
        }
    }

    private mutating func end(_ position: Int, _ ending: Ending) async {
        entries[position].ending = ending
        let (operation, flag): (HistoryEvent.Operation, Bool?) =
            switch ending {
            case .cancel: (.cancel, nil)
            case .pay(let succeeded): (.pay, succeeded)
            }
        let answer = await question(operation, position, entries[position].lines, flag: flag)
        guard let kind = answer?.kind, kind != .info else { return }
        entries[position].ending = nil
        if operation == .cancel, kind == .ok, entries[position].isDone == nil { entries[position].isDone = false }
    }

    /// Asks an engine that serves, and writes question and answer down. `nil`: nobody serves.
    private mutating func question(
        _ operation: HistoryEvent.Operation, _ position: Int, _ lines: [OrderLine], flag: Bool?, isFirst: Bool = false
    ) async -> Party.Answer? {
        let (flow, person) = (entries[position].flow, entries[position].person)
        guard let engine = engines.filter(\.isReady).randomElement(using: &random) else { return nil }
        record.add(
            HistoryEvent(
                at: 0, process: process, operation, .invoke, flow: flow, lines: lines, buyer: person,
                flag: operation == .deduct && flag != true ? nil : flag))
        let flagText = isFirst ? PartyWire.first : flag == true ? "1" : "0"
        let answer = await engine.ask(
            "\(operation.rawValue) \(flow) \(flagText) \(PartyWire.text(lines)) \(person)",
            within: Self.patience)
        var event = HistoryEvent(at: 0, process: process, operation, answer?.kind ?? .info, flow: flow)
        event.answer = answer?.word ?? "noAnswer"
        if answer?.words.last == "duplicate" { event.isDuplicate = true }
        if operation == .pay, let words = answer?.words, words.count > 1 { event.detail = String(words[1]) }
        record.add(event)
        return answer
    }

    // MARK: The end

    /// Finds out what is still unknown, and asks what was told yes again. Returns how many orders never heard a final answer.
    mutating func finish(until deadline: ContinuousClock.Instant) async -> Int {
        while clock.now < deadline {
            let open = entries.indices.filter { entries[$0].isDone == nil || entries[$0].ending != nil }
            if open.isEmpty { break }
            // One question each, then again: one that waits for long keeps no other from its answer.
            for position in open where clock.now < deadline {
                if entries[position].isDone == nil { await ask(position, .afterUnknown) }
                if entries[position].isDone == nil {
                    await end(position, .cancel)
                } else if let ending = entries[position].ending {
                    await end(position, ending)
                }
            }
            try? await clock.sleep(for: .milliseconds(100))
        }
        let done = entries.indices.filter { entries[$0].isDone == true }
        for position in done.shuffled(using: &random).prefix(Self.askedAgainMax) where clock.now < deadline {
            await ask(position, .afterUnknown)
        }
        return entries.count { $0.isDone == nil || $0.ending != nil }
    }
}
