import Synchronization
import Telemetry

/// Prints the items of a list as they are decided, a line each, and a countdown now and then.
final class ListPrinter: Sendable {
    private struct State {
        var items: Set<PreflightReport.Item> = []
        var steps: [ClosingReport.Step: ClosingReport.Progress] = [:]
        var lastLeft: Double?
    }

    private let isSilent: Bool
    private let state = Mutex(State())

    init(isSilent: Bool) { self.isSilent = isSilent }

    private func say(_ mark: String, _ title: String, _ words: String) {
        let gap = String(repeating: " ", count: max(1, 34 - title.count))
        print(PlainText.line("\(mark) \(title)\(gap)\(words)"))
    }

    func hear(_ list: PreflightReport) {
        guard !isSilent else { return }
        for item in PreflightReport.Item.allCases where list.verdict(item) != .waiting {
            guard state.withLock({ $0.items.insert(item).inserted }) else { continue }
            switch list.verdict(item) {
            case .ok(let words): say("ok ", item.title, words)
            case .bad(let why, let mayBeOverridden):
                say(mayBeOverridden ? "BAD" : "NO ", item.title, why)
            case .waiting: break
            }
        }
        if list.decision != .deciding { print(PlainText.line(list.sentence)) }
    }

    func hear(_ closing: ClosingReport) {
        guard !isSilent else { return }
        for step in ClosingReport.Step.allCases {
            let progress = closing.progress(step)
            guard state.withLock({ $0.steps.updateValue(progress, forKey: step) }) != progress else { continue }
            switch progress {
            case .done(let words): say("ok ", step.title, words)
            case .bad(let words): say("BAD", step.title, words)
            case .waiting, .working: break
            }
        }
    }

    /// Tells what is left: each minute, each of the last ten seconds, and at first.
    func countDown(_ left: Double) {
        guard !isSilent else { return }
        let isDue = state.withLock { state in
            let last = state.lastLeft
            let step = left <= 10 ? 1.0 : left <= 60 ? 10 : 60
            guard last.map({ ($0 / step).rounded(.up) > (left / step).rounded(.up) }) ?? true else { return false }
            state.lastLeft = left
            return true
        }
        if isDue { print("opens in \(Int(left.rounded(.up))) s, while this process lives") }
    }

    /// The books, a line each.
    static func lines(_ books: SaleBooks) -> [String] {
        func row(_ label: String, _ number: Int64?, _ unit: String) -> String {
            let text = number.map(String.init) ?? "?"
            return label + String(repeating: " ", count: max(1, 28 - label.count - text.count)) + text + " " + unit
        }
        return [
            row("allocated", books.allocated, "units"), row("sold", books.sold, "units"),
            row("reserved", books.reserved, "units"), row("stock", books.stock, "units"),
            row("refunds to be paid", books.refundsPending, "orders"), row("drift", books.driftUnits, "units"),
            row("oversold", books.oversoldUnits, "units"),
            row("lost", books.lostOrders, "orders, by the buyers' record"),
        ]
    }
}
