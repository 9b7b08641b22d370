public import Inventory
public import OrderStore
public import Reconciliation
import Telemetry

/// What only a person decides: who loses an oversold order, and what becomes of a dead letter. Each is audited.
extension SaleService {
    /// Who would lose, and who would be taken in. Writes nothing.
    public func oversoldPlan(policy: OversoldPolicy) async throws -> OversoldPlan {
        OversoldPlan(try await store.oversold(policy: policy), policy: policy)
    }

    /// Carries a plan out, bucket by bucket, each in one transaction; what has moved since the plan was made is left as it is.
    ///
    /// Where somebody is taken in, the bucket is rebuilt: its counters then hold more than Redis took, and only a fold of SQL says
    /// what is left to sell. Who only loses is given back like any cancelled order.
    ///
    /// - Returns: what went wrong, by bucket; empty if all was done.
    public func apply(_ plan: OversoldPlan) async -> [BucketNumber: String] {
        var failures: [BucketNumber: String] = [:]
        for choice in plan.choices {
            do {
                if choice.takenIn.isEmpty {
                    try await store.settleOversold(choice, claim: nil)
                } else {
                    _ = try await recoverer.recover(
                        choice.bucket, settle: { [store] in try await store.settleOversold(choice, claim: $0) })
                }
            } catch {
                failures[choice.bucket] = "\(error)"
            }
            let tag = catalogue[choice.bucket]?.tag ?? "?"
            await control.record(
                what: "settle oversold", subject: "bucket \(tag)",
                before:
                    "\(plan.policy.rawValue): \(choice.losers.count) to lose, \(choice.takenIn.count) to be taken in",
                after: failures[choice.bucket].map { "failed: \($0)" }
                    ?? (choice.losers.map { "lost \($0.flow)" } + choice.takenIn.map { "taken in \($0.flow)" })
                    .joined(separator: ", "))
        }
        return failures
    }

    /// Ends a dead letter, and rebuilds its bucket if units move with it.
    public func settleDeadLetter(_ number: Int64, as ending: DeadLetterEnding) async -> SaleControl.Report {
        let who = Operator.current
        do {
            let letter = try await store.settleDeadLetter(number, as: ending, who: "\(who.who) \(who.origin)")
            let tag = catalogue[letter.bucket]?.tag ?? "?"
            let what = ending == .discarded ? "discarded" : "given back"
            var sentence = "dead letter \(number) of bucket \(tag) is \(what)"
            if letter.units > 0 {
                let units = letter.units.counted("unit")
                do {
                    _ = try await recoverer.recover(letter.bucket, settle: { _ in })
                    sentence += ending == .discarded ? ": \(units) written off" : ": \(units) back on sale"
                } catch {
                    // SQL has it: whichever rebuild comes next brings it to Redis.
                    sentence += " in SQL; \(units) follow in Redis with its next rebuild (\(error))"
                }
            }
            await control.record(
                what: "settle dead letter", subject: "\(number) \(letter.id)", before: letter.reason, after: sentence)
            events.add(.info, "\(who.who): \(sentence)")
            return SaleControl.Report(sentence: sentence, succeeded: true)
        } catch {
            await control.record(
                what: "settle dead letter", subject: "\(number)", before: "", after: "refused: \(error)")
            return SaleControl.Report(sentence: "settle dead letter \(number): \(error)", succeeded: false)
        }
    }

    /// Notes that the money of a refund went back.
    public func settleRefund(_ number: Int64) async -> SaleControl.Report {
        do {
            let isNew = try await store.settleRefund(number)
            let sentence =
                isNew
                ? "refund \(number) is settled"
                : "there is no refund \(number) that waits to be settled; list them first"
            await control.record(
                what: "settle refund", subject: "\(number)", before: isNew ? "pending" : "", after: sentence)
            return SaleControl.Report(sentence: sentence, succeeded: isNew)
        } catch {
            return SaleControl.Report(sentence: "settle refund \(number): \(error)", succeeded: false)
        }
    }
}

extension DeadLetter {
    /// One plain line, without control characters of its own.
    public func sentence(_ catalogue: Catalogue) -> String {
        let what =
            order.map { order in
                let lines = order.lines.map {
                    "\($0.quantity) × \(catalogue[$0.sku]?.sku ?? "SKU number \($0.sku.rawValue)")"
                }
                return "order \(order.flow) (\(lines.joined(separator: ", ")))"
            } ?? "entry of \(blob.count.counted("byte"))"
        return "dead letter \(number)  bucket \(catalogue[bucket]?.tag ?? "?") \(id): \(what): \(reason)"
    }
}
