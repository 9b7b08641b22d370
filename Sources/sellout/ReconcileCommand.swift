public import ArgumentParser
import Foundation
import Inventory
import Operations
public import OrderStore
import Reconciliation
import Redis

struct ReconcileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconcile",
        abstract: "Compare Redis with the order store, unit by unit and order by order.",
        discussion: """
            Two comparisons must name the same difference before a repair is planned. Without --repair nothing is written.
            What one store has and the other has not heard of yet is no difference while a sale is at work. Where nobody is, --repair
            finishes it: it takes the outboxes to SQL, gives back, ends what was left half done.

            sellout reconcile --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout reconcile --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite --repair --json
            sellout reconcile --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite --settle-oversold

            Where a promise weaker than durable told yes for more than there is, the orders that would lose are listed; they are
            rolled back, with a refund record each, only by --settle-oversold.
            """)

    @OptionGroup var sources: Sources

    @Flag(help: "Apply the plan.")
    var repair = false

    @Flag(help: "Roll back the orders listed as losing, and take in those that then fit.")
    var settleOversold = false

    @Option(help: "Who loses: newestFirst, oldestFirst or smallestFirst. What is paid for never loses to what is not.")
    var policy: OversoldPolicy = .newestFirst

    @Flag(help: "Settle without asking.")
    var yes = false

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    struct Report: Codable {
        struct Repair: Codable {
            var id: String
            var kind: String
            var sku: String
            var units: Int64
            var flows: [String]
            var state: String
        }
        var driftUnits: Int64
        var drift: [String: Int64]
        var cuts: Int
        var repairs: [Repair]
        struct Oversold: Codable {
            var flow: String
            var fate: String
            var units: Int64
            var paid: Bool
            var state: String
        }
        /// Only where more was promised than there is.
        var oversold: [Oversold]?
        /// Only where any wait for a person.
        var deadLetters: [String]?
        /// Only where something is on its way between the stores and nobody takes it there.
        var unattended: Work?
        /// Only where --repair finished such work.
        var settled: Work?
    }
}

extension OversoldPolicy: ExpressibleByArgument {}

extension ReconcileCommand: WorkerCommand {
    func work() async throws -> Int32 {
        let (service, _, _) = try await sources.connect(readOnly: !repair && !settleOversold, events: EventLog())
        let result: Result<Int32, any Error>
        do { result = .success(try await compare(service)) } catch { result = .failure(error) }
        service.cluster.close()
        await service.store.close()
        return try result.get()
    }

    private func compare(_ service: SaleService) async throws -> Int32 {
        var work = try await attend(service)
        let first = await service.compare(ledgers: true)
        let second = await service.compare(ledgers: true)
        var plan = RepairPlan(agreeing: first, second, catalogue: service.catalogue)
        var last = second
        var byOthers: [BucketNumber] = []
        if repair {
            if !plan.repairs.isEmpty { plan = await service.apply(plan) }
            byOthers = await service.waitForOthers(second, since: first)
            if !plan.repairs.isEmpty || !byOthers.isEmpty {
                // A repair makes work as well: what it undoes is given back.
                try await work.again(attend(service))
                let (after, opened) = await service.compareAfterOthers()
                last = after
                byOthers = Set(byOthers).union(opened).sorted()
            }
        }
        let books = Unsettled(
            plan: try await service.oversoldPlan(policy: policy),
            deadLetters: try await service.store.deadLetters(limit: Unsettled.lettersMax))
        if !json { print(text(last, plan, work, byOthers, service.catalogue)) }
        let unsettled = try await settle(books, service)
        if unsettled.isDone {
            // Whose order was rolled back, gives its units back.
            let after = try await attend(service)
            if !json, let sentence = after.settled?.sentence { print(PlainText.line(sentence)) }
            work.again(after)
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            print(
                String(
                    decoding: try encoder.encode(report(last, plan, work, unsettled, service.catalogue)), as: UTF8.self)
            )
        }
        if !unsettled.isGood || !work.isGood { return 1 }
        if last.findings.contains(where: { $0.kind == .expiring }) { return 1 }
        if last.driftUnits > 0 || plan.repairs.contains(where: { $0.state == .failed }) { return 1 }
        return last.unread.isEmpty ? 0 : 3
    }

    private func report(
        _ comparison: Comparison, _ plan: RepairPlan, _ work: Attended, _ unsettled: Unsettled, _ catalogue: Catalogue
    ) -> Report {
        Report(
            driftUnits: comparison.driftUnits,
            drift: Dictionary(uniqueKeysWithValues: comparison.unitsByKind.map { ($0.key.rawValue, $0.value) }),
            cuts: comparison.cuts,
            repairs: plan.repairs.map { repair in
                Report.Repair(
                    id: repair.id, kind: repair.kind.rawValue, sku: repair.sku.flatMap { catalogue[$0]?.sku } ?? "",
                    units: repair.units, flows: repair.flows.map(\.description), state: repair.state.rawValue)
            },
            oversold: unsettled.plan.isEmpty ? nil : unsettled.report,
            deadLetters: unsettled.deadLetters.isEmpty ? nil : unsettled.deadLetters.map { $0.sentence(catalogue) },
            unattended: work.unattendedReport, settled: work.settledReport)
    }

    /// - Parameter byOthers: buckets that another process was recovering, and that are open now.
    private func text(
        _ comparison: Comparison, _ plan: RepairPlan, _ work: Attended, _ byOthers: [BucketNumber],
        _ catalogue: Catalogue
    ) -> String {
        var lines = work.settled.map { [$0.sentence, $0.leftSentence, $0.sweepSentence].compactMap { $0 } } ?? []
        lines += comparison.findings.map { "\($0.kind.rawValue)  \($0.sentence)" }
        for repair in plan.repairs {
            lines.append(
                "repair \(repair.id)  \(repair.effect): \(repair.failure.map { "failed: \($0)" } ?? repair.state.words)"
            )
        }
        lines += byOthers.map { "recovered  bucket \(catalogue[$0]?.tag ?? "?"): another process recovered it" }
        for (why, buckets) in Dictionary(grouping: comparison.unread.keys.sorted(), by: { comparison.unread[$0]! })
            .sorted(by: { $0.key < $1.key })
        {
            let tags = buckets.prefix(4).map { catalogue[$0]?.tag ?? "?" }.joined(separator: " ")
            lines.append(
                "not compared  \(buckets.count.counted("bucket")) (\(tags)\(buckets.count > 4 ? " …" : "")): \(why)")
        }
        let unread =
            comparison.unread.isEmpty ? "" : "; \(comparison.unread.count.counted("bucket")) could not be compared"
        if let sentence = work.unattendedSentence { lines.append(sentence) }
        let verdict =
            comparison.driftUnits > 0
            ? "\(comparison.driftUnits.counted("unit")) of drift"
            : comparison.cuts == 0 && !comparison.unread.isEmpty
                ? "nothing is known of the stock"
                : work.isGood
                    ? "Redis and SQL agree to the unit" : "they agree in everything but what nobody sees through"
        lines.append(
            "\(comparison.cuts.counted("bucket")) compared in \(comparison.duration.formatted): \(verdict)\(unread)")
        return lines.map(PlainText.line).joined(separator: "\n")
    }
}
