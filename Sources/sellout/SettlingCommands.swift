public import ArgumentParser
import Deduction
import Foundation
import Inventory
import Operations
public import OrderStore
import Redis

/// Dead letters: listed, and ended by a person.
struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "List what SQL could not take for an order, and settle it.",
        discussion: """
            A dead letter's units count as taken until a person settles it.

            sellout dead-letters --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout dead-letters --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite --settle 3 --as givenBack
            """)

    @OptionGroup var sources: Sources

    @Option(help: "The number of the letter to settle.")
    var settle: Int64?

    @Option(name: .customLong("as"), help: "givenBack: its units go on sale again. discarded: they are written off.")
    var ending: DeadLetterEnding?

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func validate() throws {
        guard (settle == nil) == (ending == nil) else {
            throw ValidationError("--settle and --as go together: say which letter, and what becomes of its units")
        }
    }

    private struct Report: Codable {
        struct Letter: Codable {
            var number: Int64
            var bucket: String
            var id: String
            var flow: String?
            var units: Int64
            var reason: String
            var atMilliseconds: Int64
        }
        var deadLetters: [Letter]
        var settled: Bool?
    }
}

extension DeadLetterEnding: ExpressibleByArgument {}

extension DeadLettersCommand: WorkerCommand {
    func work() async throws -> Int32 {
        try await sources.with(readOnly: settle == nil) { service in
            var settled: SaleControl.Report?
            if let settle, let ending { settled = await service.settleDeadLetter(settle, as: ending) }
            let letters = try await service.store.deadLetters(limit: ReconcileCommand.Unsettled.lettersMax)
            if json {
                try print(
                    json: Report(
                        deadLetters: letters.map { letter in
                            .init(
                                number: letter.number, bucket: service.catalogue[letter.bucket]?.tag ?? "",
                                id: "\(letter.id)", flow: letter.order?.flow.description, units: letter.units,
                                reason: letter.reason, atMilliseconds: letter.atMilliseconds)
                        }, settled: settled?.succeeded))
            } else {
                if let settled { print(PlainText.line(settled.sentence)) }
                for letter in letters { print(PlainText.line(letter.sentence(service.catalogue))) }
                if settled == nil { print("\(letters.count.counted("dead letter")) for a person") }
            }
            if let settled { return settled.succeeded ? 0 : 1 }
            return letters.isEmpty ? 0 : 1
        }
    }
}

/// Refunds: listed, and noted as paid.
struct RefundsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refunds",
        abstract: "List the money that goes back, and note what went back.",
        discussion: """
            One for each payment that came too late for its order, and for each promise that was taken back.

            sellout refunds --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout refunds --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite --settle 3
            """)

    @OptionGroup var sources: Sources

    @Option(help: "The number of the refund whose money went back.")
    var settle: Int64?

    @Option(help: "At most so many, newest first.")
    var limit = 100

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit \(limit): use 1 to 1000000") }
    }

    private struct Report: Codable {
        struct Refund: Codable {
            var number: Int64
            var flow: String
            var units: Int64
            var reason: String
            var paid: Bool
            var state: String
            var atMilliseconds: Int64
        }
        var refunds: [Refund]
        var pending: Int64
        var settled: Int64
    }
}

extension RefundsCommand: WorkerCommand {
    func work() async throws -> Int32 {
        try await sources.with(readOnly: settle == nil) { service in
            var result: SaleControl.Report?
            if let settle { result = await service.settleRefund(settle) }
            let refunds = try await service.store.refunds(limit: limit)
            let totals = try await service.store.paymentTotals()
            if json {
                try print(
                    json: Report(
                        refunds: refunds.map { refund in
                            .init(
                                number: refund.number, flow: refund.flow.description, units: refund.units,
                                reason: "\(refund.reason)", paid: refund.isPaid,
                                state: refund.settledAtMilliseconds == nil ? "pending" : "settled",
                                atMilliseconds: refund.atMilliseconds)
                        }, pending: totals.refundsPending, settled: totals.refundsSettled))
            } else {
                if let result { print(PlainText.line(result.sentence)) }
                for refund in refunds {
                    let state = refund.settledAtMilliseconds == nil ? "pending" : "settled"
                    print(
                        "refund \(refund.number)  \(state)  order \(refund.flow), \(refund.units.counted("unit")), "
                            + "\(refund.isPaid ? "paid" : "not paid yet"): \(refund.reason.words)")
                }
                print(
                    "\(totals.refundsPending) pending, \(totals.refundsSettled) settled; \(totals.waiting.counted("payment")) wait for an order"
                )
            }
            return result?.succeeded == false ? 1 : 0
        }
    }
}

extension Sources {
    /// Connects, does `body`, and closes whatever came of it.
    /// - Parameters: as of `RedisSource.connect`.
    func with(
        readOnly: Bool, on connected: RedisCluster? = nil, scripts: Scripts? = nil,
        _ body: (SaleService) async throws -> Int32
    ) async throws -> Int32 {
        let (service, _, _) = try await connect(
            readOnly: readOnly, events: EventLog(), on: connected, scripts: scripts)
        let result: Result<Int32, any Error>
        do { result = .success(try await body(service)) } catch { result = .failure(error) }
        service.cluster.close()
        await service.store.close()
        return try result.get()
    }
}

private func print(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}
