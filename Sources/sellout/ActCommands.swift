import ArgumentParser
import Deduction
import Foundation
import Inventory
import Operations
import OrderStore
import Redis
import Synchronization
import Telemetry

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
        /// Of a closing.
        var books: Books?
    }

    /// The books of a closed sale, for scripts; what nobody can know is null.
    struct Books: Encodable {
        var allocatedUnits: Int64
        var soldUnits: Int64
        var reservedUnits: Int64
        @OrNull var stockUnits: Int64?
        @OrNull var missingUnits: Int64?
        var soldOrders: Int64
        var cancelledOrders: Int64
        var expiredOrders: Int64
        var pendingRefunds: Int64
        var settledRefunds: Int64
        var deadLetters: Int64
        var driftUnits: Int64
        var oversoldUnits: Int64
        @OrNull var lostOrders: Int64?
        var unreadBuckets: Int

        init(_ books: SaleBooks) {
            (allocatedUnits, soldUnits, reservedUnits) = (books.allocated, books.sold, books.reserved)
            stockUnits = books.stock
            missingUnits = books.missingUnits
            (soldOrders, cancelledOrders, expiredOrders) = (
                books.soldOrders, books.cancelledOrders, books.expiredOrders
            )
            (pendingRefunds, settledRefunds) = (books.refundsPending, books.refundsSettled)
            (deadLetters, driftUnits, oversoldUnits) = (books.deadLetters, books.driftUnits, books.oversoldUnits)
            lostOrders = books.lostOrders
            unreadBuckets = books.unreadBuckets
        }
    }

    struct Refusal: Error, CustomStringConvertible { let description: String }

    /// Connects, finds the SKUs, asks for the name where one is wanted, and acts on one after another.
    /// - Parameter cluster: Redis, where it is connected already.
    /// - Returns: 0 when everything was done, 1 when something was refused.
    func act(
        _ name: String, skus: [String] = [], asks: Bool = true, on cluster: RedisCluster? = nil,
        _ body: (SaleControl, SKUNumber?) async -> SaleControl.Report
    ) async throws -> Int32 {
        try await sources.with(readOnly: false, on: cluster, scripts: .unloaded) { service in
            // All are found before any is touched: half of a mistyped list is worse than none.
            var numbers: [(String, SKUNumber?)] = skus.isEmpty ? [("sale", nil)] : []
            for sku in skus {
                guard let number = service.catalogue.number(ofSKU: sku) else {
                    throw Refusal(
                        description: "SKU \(sku) is not in \(service.sale.name), and nothing was changed; "
                            + "sellout snapshot lists its SKUs")
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
            if report.acts.contains(where: \.succeeded) { await seeThrough(service) }
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
        abstract: "Put more units of a SKU on sale, or take them off again.",
        discussion: """
            With --reverse the units go off sale again: all of them if so many are still unsold, else none.

            Exit codes: 0 done, 1 refused with its reason, 2 could not look.

            sellout restock 1001 500 --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout restock 1001 500 --reverse --profile live
            """)

    @OptionGroup var options: ActOptions

    @Argument(help: "A SKU.")
    var sku: String

    @Argument(help: "Units, 1 to 1000000.")
    var units: Int64

    @Flag(help: "Take the units off sale again, if so many are still unsold.")
    var reverse = false

    func validate() throws {
        guard (1...SaleControl.restockUnitsMax).contains(units) else {
            throw ValidationError("\(units) units: use 1 to \(SaleControl.restockUnitsMax)")
        }
    }

    func work() async throws -> Int32 {
        try await options.act("restock", skus: [sku]) { control, sku in
            guard let sku else { return .init(sentence: "no SKU", succeeded: false) }
            return await control.restock(sku, units: reverse ? -units : units)
        }
    }
}

struct OpenCommand: ParsableCommand, WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "open",
        abstract: "Open the sale, if the servers can keep what it promises.",
        discussion: """
            It goes through a list first, and prints it: GO, or NO-GO with the reasons. A NO-GO that breaks no promise may be
            overridden with the sale's name. With --at it waits here and opens by itself; ended before, nothing opens.

            Exit codes: 0 open, 1 refused with its reasons, 2 could not look.

            sellout open --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout open --at 12:00 --profile live
            sellout open --at +5m --profile live
            """)

    @OptionGroup var options: ActOptions

    @Option(help: "Open at a moment: HH:MM, HH:MM:SS, +90s, +5m or +1h. It lives in this process.")
    var at: String?

    @Option(help: "The sale's name: open over a NO-GO that breaks no promise.")
    var override: String?

    func validate() throws {
        if let at, OpeningTime(at) == nil {
            throw ValidationError("--at \(at): use HH:MM, HH:MM:SS, +90s, +5m or +1h, at most a day ahead")
        }
        if at != nil, override != nil {
            throw ValidationError("--at and --override: choose one; nobody is there to judge")
        }
    }

    func work() async throws -> Int32 {
        let (at, override, isSilent) = (at, override, options.json)
        return try await options.actOnSale("open") { service in
            switch try await service.store.sale()?.state {
            case .closed?:
                return .init(sentence: "the sale is closed: a closed sale does not open again", succeeded: false)
            case .open?: return .init(sentence: "the sale is open already", succeeded: true)
            default: break
            }
            let printer = ListPrinter(isSilent: isSilent)
            if let time = at.flatMap(OpeningTime.init) {
                let moment = time.moment(now: WallClock.milliseconds, offset: TimeZone.current.secondsFromGMT())
                return await Self.open(service, at: moment, printer)
            }
            let list = await service.preflight { printer.hear($0) }
            return await service.control.open(after: list, overriddenBy: override)
        }
    }

    private static func open(
        _ service: SaleService, at moment: OpeningSchedule.Moment, _ printer: ListPrinter
    ) async -> SaleControl.Report {
        await withTaskGroup(of: SaleControl.Report?.self) { group in
            group.addTask {
                let report = await service.open(at: moment) { printer.hear($0) }
                return report
                    ?? SaleControl.Report(sentence: "ended before the moment: nothing was opened", succeeded: false)
            }
            group.addTask {
                while !Task.isCancelled {
                    if let left = service.schedule.present?.secondsLeft { printer.countDown(left) }
                    try? await Task.sleep(for: .milliseconds(200))
                }
                return nil
            }
            defer { group.cancelAll() }
            for await report in group { if let report { return report } }
            return SaleControl.Report(sentence: "ended before the moment: nothing was opened", succeeded: false)
        }
    }
}

struct CloseCommand: ParsableCommand, WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "close",
        abstract: "Close the sale for good: stop orders, drain, reconcile, print the books.",
        discussion: """
            A closed sale cannot be opened again. Open reservations are waited for, to be paid or to reach their deadlines; --expire
            ends them at once. Ended before it is done, the sale is closed all the same: close goes on where it was.

            Exit codes: 0 every unit is accounted for, 1 something is left for a person, 2 could not look.

            sellout close --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite --confirm summer-drop
            """)

    @OptionGroup var options: ActOptions

    @Flag(help: "End open reservations now, instead of waiting for them.")
    var expire = false

    func work() async throws -> Int32 {
        let (expire, json) = (expire, options.json)
        let made = MadeBooks()
        return try await options.actOnSale("close", alwaysAsks: true, books: made) { service in
            let printer = ListPrinter(isSilent: json)
            let report = await service.close(reservations: expire ? .expire : .wait) { printer.hear($0) }
            guard let books = report.books else {
                let why = ClosingReport.Step.allCases.compactMap {
                    if case .bad(let why) = report.progress($0) { why } else { nil }
                }.first
                return .init(sentence: "not closed to the end: \(why ?? "SQL does not answer")", succeeded: false)
            }
            made.put(books)
            if !json { for line in ListPrinter.lines(books) { print(line) } }
            return .init(sentence: "the books of \(service.sale.name): \(books.sentence)", succeeded: report.isClean)
        }
    }
}

extension ActOptions {
    /// What the acts left in the outboxes goes to SQL before this process ends, or is said to wait.
    private func seeThrough(_ service: SaleService) async {
        let left = await service.seeThrough()
        guard left > 0 else { return }
        let line =
            "\(left.inGroups) \(left == 1 ? "entry waits" : "entries wait") in the outboxes for SQL: "
            + "a sale that runs takes them, or sellout reconcile --repair"
        FileHandle.standardError.write(Data("sellout: \(PlainText.line(line))\n".utf8))
    }

    /// Acts on the sale as a whole, through its service.
    /// - Parameter alwaysAsks: the sale's name is wanted at any place, for it cannot be undone.
    func actOnSale(
        _ name: String, alwaysAsks: Bool = false, books: MadeBooks? = nil,
        _ body: @Sendable (SaleService) async throws -> SaleControl.Report
    ) async throws -> Int32 {
        try await sources.with(readOnly: false) { service in
            if production || alwaysAsks {
                guard confirm == service.sale.name else {
                    let why = alwaysAsks ? "\(name) cannot be undone" : "\(service.sale.name) is marked production"
                    throw Refusal(
                        description: "\(why): give --confirm '\(service.sale.name)' to \(name); nothing was changed")
                }
            }
            let done = try await body(service)
            if json {
                let report = Report(
                    acts: [.init(act: name, subject: "sale", succeeded: done.succeeded, sentence: done.sentence)],
                    books: books?.books.map(Books.init))
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
                print(String(decoding: try encoder.encode(report), as: UTF8.self))
            } else {
                print(PlainText.line(done.sentence))
            }
            if done.succeeded { await seeThrough(service) }
            return done.succeeded ? 0 : 1
        }
    }
}

/// Where a closing leaves the books that it made.
final class MadeBooks: Sendable {
    private let made = Mutex<SaleBooks?>(nil)
    var books: SaleBooks? { made.withLock { $0 } }
    func put(_ books: SaleBooks) { made.withLock { $0 = books } }
}

extension SaleControl {
    fileprivate func frozen(_ sku: SKUNumber?, _ isFrozen: Bool) async -> Report {
        guard let sku else { return Report(sentence: "no SKU", succeeded: false) }
        return await setFrozen(sku, isFrozen)
    }
}
