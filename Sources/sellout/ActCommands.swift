import ArgumentParser
import Foundation
import Inventory
import Operations

// The screen's acts for scripts: the same code, the same audit, one sentence each.

/// What every act takes.
struct ActOptions: ParsableArguments {
    @OptionGroup var sources: Sources

    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast,
        help: "The place is marked production: --confirm is wanted. A profile sets it.")
    var production = false

    @Option(help: "At a place marked production: the sale's name, or the SKU where there is only one.")
    var confirm: String?

    @Flag(help: "Print one JSON object instead of text.")
    var json = false
}

extension ActOptions {
    struct Report: Encodable {
        struct Act: Encodable {
            var act: String
            var subject: String
            var succeeded: Bool
            var sentence: String
        }
        var acts: [Act]
    }

    struct Refusal: Error, CustomStringConvertible { let description: String }

    /// Connects, finds the SKUs, asks for the name where one is wanted, and acts on one after another.
    /// - Returns: 0 when everything was done, 1 when something was refused.
    func act(
        _ name: String, skus: [String] = [], asks: Bool = true,
        _ body: (SaleControl, SKUNumber?) async -> SaleControl.Report
    ) async throws -> Int32 {
        try await sources.with(readOnly: false) { service in
            // All are found before any is touched: half of a mistyped list is worse than none.
            var numbers: [(String, SKUNumber?)] = skus.isEmpty ? [("sale", nil)] : []
            for sku in skus {
                guard let number = service.catalogue.number(ofSKU: sku) else {
                    throw Refusal(description: "SKU \(sku) is not in \(service.sale.name); nothing was changed")
                }
                numbers.append((sku, number))
            }
            if production, asks {
                let names = [service.sale.name] + (skus.count == 1 ? skus : [])
                guard let confirm, names.contains(confirm) else {
                    throw Refusal(
                        description: "\(service.sale.name) is marked production: give --confirm "
                            + "'\(names.last ?? service.sale.name)' to \(name); nothing was changed")
                }
            }
            var report = Report(acts: [])
            for (subject, number) in numbers {
                let done = await body(service.control, number)
                report.acts.append(
                    .init(act: name, subject: subject, succeeded: done.succeeded, sentence: done.sentence))
                if !json { print(PlainText.line(done.sentence)) }
            }
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
                print(String(decoding: try encoder.encode(report), as: UTF8.self))
            }
            return report.acts.allSatisfy(\.succeeded) ? 0 : 1
        }
    }
}

struct FreezeCommand: ParsableCommand, WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "freeze",
        abstract: "Stop SKUs: nobody can buy them until they are thawed.",
        discussion: "sellout freeze 1001 1004 --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite")

    @OptionGroup var options: ActOptions

    @Argument(help: "SKUs.")
    var skus: [String]

    func work() async throws -> Int32 {
        try await options.act("freeze", skus: skus) { control, sku in await control.frozen(sku, true) }
    }
}

struct ThawCommand: ParsableCommand, WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "thaw",
        abstract: "Let frozen SKUs be bought again.",
        discussion: "sellout thaw 1001 --profile live")

    @OptionGroup var options: ActOptions

    @Argument(help: "SKUs.")
    var skus: [String]

    func work() async throws -> Int32 {
        try await options.act("thaw", skus: skus) { control, sku in await control.frozen(sku, false) }
    }
}

struct RestockCommand: ParsableCommand, WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "restock",
        abstract: "Put more units of a SKU on sale.",
        discussion: "sellout restock 1001 500 --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite")

    @OptionGroup var options: ActOptions

    @Argument(help: "A SKU.")
    var sku: String

    @Argument(help: "Units, 1 to 1000000.")
    var units: Int64

    func validate() throws {
        guard (1...SaleControl.restockUnitsMax).contains(units) else {
            throw ValidationError("\(units) units: use 1 to \(SaleControl.restockUnitsMax)")
        }
    }

    func work() async throws -> Int32 {
        try await options.act("restock", skus: [sku]) { control, sku in
            guard let sku else { return .init(sentence: "no SKU", succeeded: false) }
            return await control.restock(sku, units: units)
        }
    }
}

struct OpenCommand: ParsableCommand, WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "open",
        abstract: "Open the sale, if the servers can keep what it promises.",
        discussion: """
            Exit codes: 0 open, 1 refused with its reason, 2 could not look.

            sellout open --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            """)

    @OptionGroup var options: ActOptions

    func work() async throws -> Int32 { try await options.act("open") { control, _ in await control.open() } }
}

struct HaltCommand: ParsableCommand, WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "halt",
        abstract: "Halt the sale everywhere, at once. It never asks.",
        discussion: "sellout halt --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite")

    @OptionGroup var options: ActOptions

    func work() async throws -> Int32 {
        try await options.act("halt", asks: false) { control, _ in await control.halt() }
    }
}

extension SaleControl {
    fileprivate func frozen(_ sku: SKUNumber?, _ isFrozen: Bool) async -> Report {
        guard let sku else { return Report(sentence: "no SKU", succeeded: false) }
        return await setFrozen(sku, isFrozen)
    }
}
