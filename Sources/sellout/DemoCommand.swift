public import ArgumentParser
import Dashboard
import Deduction
import Foundation
import Host
public import Inventory
import Lab
import Operations
import Synchronization
import Telemetry

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run a flash sale on a private Redis Cluster with shoppers, on screen or without.",
        discussion: """
            The fleet and the books live in a private folder and go when the demo ends, whatever ends it.

            sellout demo
            sellout demo --durability memory --outbox-delay 500ms
            sellout demo --masters 1 --replicas 1
            sellout demo --skus 1 --units 10 --rate 2 --outbox-delay 3s
            sellout demo --no-ui --duration 20s --crash-at 8s --json
            """)

    @Option(help: "Redis masters; 1 is a plain single server.")
    var masters = 3

    @Option(help: "Replicas of each master, 0 to 2.")
    var replicas = 0

    @Option(
        help:
            "What yes means: memory (the script ran), aof (so, with Redis's append-only file on), replicated:N (N replicas have it) or durable (SQL committed it)."
    )
    var durability: Durability = .durable

    @Option(
        help: "While a bucket is fenced: try-again, or sql:RATE, where SQL alone sells RATE orders a second (durable).")
    var whileFenced: WhileFenced = .tryAgain

    @Option(help: "How long a reservation waits for its payment, such as 10m; 0: for ever.")
    var reservationTimeout = TimeSpan(argument: "10m")!

    @Option(
        help: "A payment whose order has ended or was lost: refund, or reserveAgain (refund only if it cannot be had).")
    var latePayments: LatePaymentPolicy = .refund

    @Option(help: "Share of the buyers who never pay, 0 to 1.")
    var abandon = 0.0

    @Option(help: "SKUs in the sale.")
    var skus = 1_000

    @Option(help: "Units of each SKU. Without it the hottest SKUs sell out and the rest never do.")
    var units: Int64?

    @Option(help: "Units of each SKU that one buyer may hold. Without it: any number.")
    var limitPerBuyer: Int64?

    @Option(help: "Orders a second for each SKU; more are turned away. Without it: any number.")
    var skuRate: Double?

    @Option(help: "Orders a second for each node; more are turned away. Without it: any number.")
    var nodeRate: Double?

    @Option(help: "How long a retry is answered from Redis's ledger, such as 10m; older orders are archived from it.")
    var dedupeHorizon: TimeSpan?

    @Option(help: "Buyers per second, or max. On screen the dialog of F starts from it.")
    var rate: BuyerRate?

    @Option(help: "Seed of the shoppers.")
    var seed: UInt64 = 1

    @Option(help: "How long buyers come once the sale is open, such as 20s or 2m.")
    var duration: TimeSpan?

    @Option(help: "Delay of every write from the outbox to SQL, such as 500ms: a slow store.")
    var outboxDelay: TimeSpan?

    @Option(help: "Leave fleet and books in this folder when the demo ends.")
    var keep: String?

    @OptionGroup var screen: ScreenOptions

    @OptionGroup var settings: SettingOptions

    @Flag(help: "No screen: run one sale and print its figures.")
    var noUi = false

    @Option(help: "Without a screen: kill a node this long after the opening.")
    var crashAt: TimeSpan?

    @Flag(help: "Without a screen: print one JSON object instead of text.")
    var json = false

    func validate() throws {
        guard (1...100).contains(masters) else { throw ValidationError("--masters \(masters): use 1 to 100") }
        guard (0...2).contains(replicas) else { throw ValidationError("--replicas \(replicas): use 0 to 2") }
        guard durability.replicas <= replicas else {
            throw ValidationError(
                "--durability \(durability.rawValue) waits for \(durability.replicas.counted("replica")): give --replicas \(durability.replicas)"
            )
        }
        if case .sellInSQL = whileFenced, durability != .durable {
            throw ValidationError("--while-fenced \(whileFenced) needs --durability durable")
        }
        guard (1...DemoSale.skusMax).contains(skus) else {
            throw ValidationError("--skus \(skus): use 1 to \(DemoSale.skusMax)")
        }
        guard (0...1).contains(abandon) else { throw ValidationError("--abandon \(abandon): use 0 to 1") }
        if let units, !(1...1_000_000_000).contains(units) {
            throw ValidationError("--units \(units): use 1 to 1000000000")
        }
        if let limitPerBuyer, !(1...1_000_000).contains(limitPerBuyer) {
            throw ValidationError("--limit-per-buyer \(limitPerBuyer): use 1 to 1000000")
        }
        for (name, rate) in [("--sku-rate", skuRate), ("--node-rate", nodeRate)] {
            if let rate, !(rate >= 1 && rate <= 10_000_000) {
                throw ValidationError("\(name) \(rate): use 1 to 10000000")
            }
        }
        if let dedupeHorizon, dedupeHorizon.seconds < 1 {
            throw ValidationError("--dedupe-horizon \(dedupeHorizon.text): use at least 1s")
        }
        if let duration, duration.seconds < 0.5 {
            throw ValidationError("--duration \(duration.text): use at least 500ms")
        }
        if !noUi {
            if crashAt != nil { throw ValidationError("--crash-at needs --no-ui; on screen, C crashes a node") }
            if json { throw ValidationError("--json needs --no-ui") }
        }
        if let crashAt, crashAt.seconds >= saleSeconds {
            throw ValidationError("--crash-at \(crashAt.text): the sale is over after \(Int(saleSeconds)) s")
        }
    }

    private var saleSeconds: Double { duration?.seconds ?? (noUi ? 20 : 60) }

    private func floorConfiguration(expectedRate: Double) -> DemoFloor.Configuration {
        var floor = DemoFloor.Configuration()
        floor.masters = masters
        floor.replicas = replicas
        floor.durability = durability
        floor.whileFenced = whileFenced
        floor.reservationTimeout =
            reservationTimeout.seconds > 0 ? .milliseconds(Int64(reservationTimeout.seconds * 1_000)) : nil
        floor.latePayments = latePayments
        floor.shoppers.abandonment = abandon
        floor.skus = skus
        floor.stock =
            units.map { .each($0) }
            ?? .story(
                ordersPerSecond: expectedRate, seconds: saleSeconds, zipfExponent: floor.shoppers.zipfExponent)
        floor.shoppers.seed = seed
        floor.outboxDelay = .milliseconds(Int64((outboxDelay?.seconds ?? 0) * 1_000))
        floor.keepFolder = keep
        floor.limitPerBuyer = limitPerBuyer
        floor.rateLimits = RateLimits(perSKU: skuRate, perNode: nodeRate)
        floor.dedupeHorizon = dedupeHorizon.map { .milliseconds(Int64($0.seconds * 1_000)) }
        return floor
    }
}

// MARK: Without a screen

extension DemoCommand: WorkerCommand {
    /// What a machine like ours sells per second at full speed, to deal out stock such that the hot SKUs sell out.
    private static let fullSpeed = 40_000.0

    func work() async throws -> Int32 {
        if !noUi {
            let wanted = rate.map { $0.perSecond } ?? Self.proposedRate
            return try await tell(
                floorConfiguration(expectedRate: min(wanted ?? Self.fullSpeed, Self.fullSpeed)),
                buyersPerSecond: wanted,
                seconds: saleSeconds)
        }
        var configuration = DemoRun.Configuration()
        configuration.seconds = saleSeconds
        configuration.crashAt = crashAt?.seconds
        configuration.buyersPerSecond = (rate ?? .max).perSecond
        configuration.floor = floorConfiguration(expectedRate: configuration.buyersPerSecond ?? Self.fullSpeed)
        let start = ContinuousClock.now
        let events = EventLog { event in
            let text = "\(start.duration(to: .now).formatted)  \(PlainText.line(event.text))\n"
            FileHandle.standardError.write(Data(text.utf8))
        }
        let report = try await DemoRun(configuration).run(events: events)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
            for line in report.unchecked {
                FileHandle.standardError.write(Data("not checked: \(PlainText.line(line))\n".utf8))
            }
        } else {
            print(ReportText.text(of: report))
        }
        switch report.verdict {
        case true?: return 0
        case false?: return 1
        case nil: return 3
        }
    }
}

// MARK: On screen

extension DemoCommand: ScreenCommand {
    var wantsScreen: Bool { !noUi && !screen.linear }

    /// Buyers per second that the dialog of F proposes.
    private static let proposedRate = 4_000.0

    func runScreen() throws -> Int32 {
        let theme = try screen.chosenTheme()
        let signals = try SignalWatch()
        let mailbox = try ScreenMailbox()
        let proposedRate = rate.map { $0.perSecond ?? 1_000_000 } ?? Self.proposedRate
        let snapshot = WarRoomSnapshot(
            phase: .starting("starting"), saleName: "summer-drop", saleState: .warmed, durability: durability,
            topology: floorConfiguration(expectedRate: 1).fleet.topology)
        let events = EventLog()
        let shown = try Screen(
            snapshot: snapshot,
            permissions: Permissions(
                canOpenWithBuyers: true, canCrash: true,
                hasReplicas: floorConfiguration(expectedRate: 1).replicasTakeOver,
                isProduction: screen.production),
            theme: theme, options: screen,
            mailbox: mailbox, signals: signals, events: events, proposedBuyersPerSecond: Int(max(1, proposedRate)),
            proposedSeconds: Int(max(1, saleSeconds)))
        let interpreter = ActInterpreter(mailbox: mailbox)
        var floor = floorConfiguration(expectedRate: min(proposedRate, Self.fullSpeed))
        let starting = Mutex(snapshot)
        floor.onProgress = { text in
            let now = starting.withLock { snapshot in
                snapshot.phase = .starting(text)
                return snapshot
            }
            mailbox.put(now)
        }
        let stage = DemoStage(configuration: floor, mailbox: mailbox, interpreter: interpreter, events: events)
        let work = Task.detached { await stage.run() }
        let ending = shown.run { interpreter.interpret($0) }
        work.cancel()
        Blocking.end(signals: signals) { await work.value }
        if let failure = stage.failure {
            FileHandle.standardError.write(Data("sellout: \(PlainText.line(failure))\n".utf8))
            return 2
        }
        if let kept = stage.keptSentence { print(PlainText.line(kept)) }
        return ending.exitCode
    }
}

extension LatePaymentPolicy: ExpressibleByArgument {}

extension WhileFenced: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
    public var defaultValueDescription: String { description }
}

extension Durability: ExpressibleByArgument {
    public init?(argument: String) { self.init(rawValue: argument) }
    public var defaultValueDescription: String { rawValue }
}
