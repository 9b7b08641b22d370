import Deduction
import Inventory
import Operations
import OrderStore
import Reconciliation

/// Carries out what the rig asks of a party, and words the answer.
struct PartyDesk: Sendable {
    let service: SaleService
    let faults: PartyFaults

    /// `<kind> <words>`
    func answer(_ words: [Substring]) async -> String {
        guard let verb = words.first else { return "fail nothing" }
        let rest = words.dropFirst()
        switch verb {
        case "deduct", "cancel", "pay": return await order(verb, Array(rest))
        case "restock":
            guard let (sku, units) = skuAndNumber(rest) else { return "fail words" }
            return act(await service.control.restock(sku, units: units))
        case "freeze":
            guard let (sku, flag) = skuAndNumber(rest) else { return "fail words" }
            return act(await service.control.setFrozen(sku, flag != 0))
        case "open": return act(await service.control.open())
        case "halt": return act(await service.control.halt())
        case "warm":
            do { return "ok \(try await service.warm())" } catch { return "info \(PartyWire.plain("\(error)"))" }
        case "compare": return await compare(ledgers: rest.first == "ledgers")
        case "fault":
            guard rest.count == 2, let value = Int64(words[2]) else { return "fail words" }
            faults.set(words[1], value)
            return "ok set"
        default: return "fail verb"
        }
    }

    private func skuAndNumber(_ words: ArraySlice<Substring>) -> (SKUNumber, Int64)? {
        let numbers = words.compactMap { Int64($0) }
        guard numbers.count == 2 else { return nil }
        return (SKUNumber(rawValue: Int32(numbers[0])), numbers[1])
    }

    private func act(_ report: SaleControl.Report) -> String {
        // What failed may still have been decided in SQL.
        "\(report.succeeded ? "ok done" : "info \(PartyWire.plain(report.sentence))")"
    }

    private func order(_ verb: Substring, _ words: [Substring]) async -> String {
        guard words.count == 4, let person = UInt64(words[3]), let flow = FlowID(String(words[0])) else {
            return "fail words"
        }
        let isFlagged = words[1] == "1"
        let order: Order
        do {
            order = try Order.across(
                flow: flow, lines: PartyWire.lines(words[2]), catalogue: service.catalogue,
                buyer: BuyerID(high: 0x7065_7273_6f6e, low: person))
        } catch { return "fail \(PartyWire.plain("\(error)"))" }
        switch verb {
        case "deduct":
            let attempt = words[1] == PartyWire.first ? Attempt.first : isFlagged ? .afterUnknown : .repeated
            return Self.text(await service.engine.deduct(order, attempt: attempt))
        case "cancel": return Self.text(await service.engine.cancel(order))
        default:
            let result = await service.engine.record([Payment(order: order, succeeded: isFlagged)])?.first
            return Self.text(result, succeeded: isFlagged)
        }
    }

    private static func text(_ outcome: DeductionOutcome) -> String {
        switch outcome {
        case .done(let duplicate): duplicate ? "ok done duplicate" : "ok done"
        case .refused(let refusal): "fail \(refusal.rawValue)"
        case .unknown(let uncertainty): "info \(uncertainty.rawValue)"
        }
    }

    private static func text(_ outcome: CancelOutcome) -> String {
        switch outcome {
        case .cancelled: "ok cancelled"
        case .sold: "fail sold"
        case .conflict: "fail conflict"
        case .unknown: "info unknown"
        }
    }

    private static func text(_ result: PaymentResult?, succeeded: Bool) -> String {
        switch result {
        case .confirmed: "ok confirmed"
        case .cancelled: "ok cancelled"
        case .already(let sold):
            sold == succeeded ? (sold ? "ok confirmed" : "ok cancelled") : (sold ? "fail sold" : "fail cancelled")
        // SQL keeps it: whoever asks again hears how it ended.
        case .waiting, .reservingAgain: "info waiting"
        case .reservedAgain(let flow): "ok reservedAgain \(flow)"
        case .refunded: "ok refunded"
        case nil: "info unknown"
        }
    }

    /// `ok <drift units> <1 if every bucket was read> <units that no order under way explains> <what differs>`
    private func compare(ledgers: Bool) async -> String {
        let comparison = await service.compare(ledgers: ledgers)
        let isWhole = comparison.unread.isEmpty && comparison.cuts == service.catalogue.buckets.count
        let findings = comparison.findings.map(\.sentence) + comparison.unread.values
        return
            "ok \(comparison.driftUnits) \(isWhole ? 1 : 0) \(comparison.causedUnits) \(PartyWire.plain(findings.joined(separator: "; ")))"
    }
}
