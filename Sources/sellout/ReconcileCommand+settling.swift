import Foundation
import Inventory
import Operations
import OrderStore
import Reconciliation

extension ReconcileCommand {
    /// What a person must decide: shown first, done only when asked for.
    struct Unsettled {
        /// Dead letters in one listing.
        static let lettersMax = 1_000

        var plan: OversoldPlan
        var deadLetters: [DeadLetter]
        /// Whether the plan was carried out, and where that failed.
        var isDone = false
        var failures: [BucketNumber: String] = [:]

        var isGood: Bool { (plan.isEmpty || isDone && failures.isEmpty) && deadLetters.isEmpty }

        var report: [Report.Oversold] {
            plan.decisions.map { decision in
                let state = !isDone ? "planned" : failures[decision.order.bucket] == nil ? "done" : "failed"
                return Report.Oversold(
                    flow: decision.order.flow.description, fate: decision.fate.rawValue, units: decision.order.allUnits,
                    paid: decision.isPaid, state: state)
            }
        }
    }

    /// Shows the list, and carries it out if that was asked for and confirmed.
    func settle(_ books: Unsettled, _ service: SaleService) async throws -> Unsettled {
        var books = books
        func say(_ line: String) {
            if !json { print(PlainText.line(line)) }
        }
        for letter in books.deadLetters { say(letter.sentence(service.catalogue)) }
        if !books.deadLetters.isEmpty {
            say(
                "\(books.deadLetters.count.counted("dead letter")) for a person: sellout dead-letters --settle N --as discarded|givenBack"
            )
        }
        guard !books.plan.isEmpty else { return books }
        for sentence in books.plan.sentences(service.catalogue) { say(sentence) }
        let (losers, takenIn) = (books.plan.losers.count, books.plan.takenIn.count)
        say(
            "oversold: \(losers.counted("order")) would lose (\(policy.rawValue); what is sold never loses, paid before unpaid), "
                + "\(takenIn) would be taken in")
        guard settleOversold else {
            say("nothing was settled; --settle-oversold does what is listed")
            return books
        }
        guard yes || confirmed(losers) else {
            say("nothing was settled; type yes when asked, or give --yes")
            return books
        }
        books.failures = await service.apply(books.plan)
        books.isDone = true
        for (bucket, why) in books.failures.sorted(by: { $0.key < $1.key }) {
            say("bucket \(service.catalogue[bucket]?.tag ?? "?"): \(why)")
        }
        let done = books.plan.decisions.filter { books.failures[$0.order.bucket] == nil }
        say(
            "settled: \(done.count { $0.fate == .loses }.counted("order")) rolled back, \(done.count { $0.fate == .takenIn }) taken in"
        )
        return books
    }

    private func confirmed(_ losers: Int) -> Bool {
        guard !json, isatty(STDIN_FILENO) == 1 else { return false }
        print("Roll \(losers.counted("order")) back? Type yes: ", terminator: "")
        fflush(nil)
        return readLine()?.trimmingCharacters(in: .whitespaces) == "yes"
    }
}
