import Checker
import Inventory

/// The person at the desk during a torture: restocks what sold out, freezes and thaws, now and then halts the sale and opens it.
struct TortureOperator {
    static let process = 1
    private static let patience = Duration.seconds(8)

    let sale: TortureSale
    let parties: [Party]
    let record: TortureRecord
    private var random: SplitMix64
    private var frozen: SKUNumber?
    private var isHalted = false
    private let clock = ContinuousClock()

    init(sale: TortureSale, parties: [Party], record: TortureRecord, seed: UInt64) {
        self.sale = sale
        self.parties = parties
        self.record = record
        random = SplitMix64(seed: seed ^ 0x6f70_6572)
    }

    mutating func work(until stop: @Sendable () -> Bool) async {
        while !stop() {
            try? await clock.sleep(for: .milliseconds(Int64(300 + random.unit() * 900)))
            if stop() { break }
            if isHalted || frozen != nil {
                await undo()
                continue
            }
            switch random.unit() {
            case ..<0.7:
                let hot = sale.skus.filter(\.isHot).randomElement(using: &random)!
                let units = Int32(10 + random.next() % 90)
                if random.unit() < 0.25 {
                    await takeBack(hot.number, units: units / 8)
                } else {
                    await restock(hot.number, units: units)
                }
            case ..<0.93:
                let sku = sale.skus.randomElement(using: &random)!.number
                frozen = sku
                await act(.freeze, "freeze \(sku.rawValue) 1", subject: "\(sku.rawValue)")
            default:
                isHalted = true
                await act(.halt, "halt")
            }
        }
    }

    /// Takes back what stops the sale. Returns whether that was answered.
    mutating func undo() async {
        if let sku = frozen, await act(.thaw, "freeze \(sku.rawValue) 0", subject: "\(sku.rawValue)") { frozen = nil }
        if isHalted, await act(.open, "open") { isHalted = false }
    }

    /// Until nothing is frozen or halted any more.
    mutating func finish(until deadline: ContinuousClock.Instant) async {
        while isHalted || frozen != nil, clock.now < deadline {
            await undo()
            if isHalted || frozen != nil { try? await clock.sleep(for: .milliseconds(100)) }
        }
    }

    private mutating func restock(_ sku: SKUNumber, units: Int32) async {
        await act(.restock, "restock \(sku.rawValue) \(units)", lines: [OrderLine(sku: sku, quantity: units)])
    }

    private mutating func takeBack(_ sku: SKUNumber, units: Int32) async {
        await act(
            .reverseRestock, "restock \(sku.rawValue) -\(units)", lines: [OrderLine(sku: sku, quantity: units)])
    }

    @discardableResult
    private mutating func act(
        _ operation: HistoryEvent.Operation, _ words: String, subject: String? = nil, lines: [OrderLine] = []
    ) async -> Bool {
        guard let party = parties.filter(\.isReady).randomElement(using: &random) else { return false }
        record.add(
            HistoryEvent(at: 0, process: Self.process, operation, .invoke, lines: lines, subject: subject))
        let answer = await party.ask(words, within: Self.patience)
        record.add(
            HistoryEvent(
                at: 0, process: Self.process, operation, answer?.kind ?? .info, answer: answer?.word ?? "noAnswer",
                subject: subject, detail: answer?.words.joined(separator: " ")))
        return answer?.kind == .ok
    }
}
