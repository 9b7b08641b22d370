import ArgumentParser
import Dashboard
import Foundation
import Host
import Inventory
import Operations
import OrderStore
import Redis
import Settings
import Telemetry

struct WatchCommand: ParsableCommand, WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Show the war room on a Redis, and an order store, that exist already.",
        discussion: """
            It reads; it writes only what you tell it to: open, halt, freeze, restock, repair. Without --orders it watches keys that
            are not ours: SKUs are learnt by SCAN, rates are what leaves the stock or comes into the ledgers, and nothing is written.

            sellout watch --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout watch --redis redis://127.0.0.1:6379 --stock-key stock:sku
            sellout watch --redis redis://watcher@10.0.0.1:6379 --stock-key 'ss_{tag}_sku' --ledger-key 'sx_{tag}_sku'
            """)

    @OptionGroup var source: RedisSource

    @Option(help: "The order store: sqlite:PATH. Left out, Redis's keys alone are watched.")
    var orders: String?

    @OptionGroup var foreign: ForeignOptions

    @OptionGroup var screen: ScreenOptions

    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast, help: "Leave every key unbound that would change anything.")
    var readOnly = false

    func validate() throws {
        try BooksOrKeys.validate(orders: orders, foreign)
    }

    /// The books; `nil` where keys are watched alone.
    var books: String? { BooksOrKeys.books(orders: orders, foreign) }
}

extension WatchCommand: ScreenCommand {
    var wantsScreen: Bool { !screen.linear }

    func runScreen() throws -> Int32 {
        guard let books else { return try runForeignScreen() }
        let theme = try screen.chosenTheme()
        let signals = try SignalWatch()
        let mailbox = try ScreenMailbox()
        let events = EventLog()
        let (source, readOnly) = (source, readOnly)
        // Before the screen: what cannot be reached is said where it can be read.
        let (service, redisURL, ordersURL) = try Blocking.result {
            try await source.connect(orders: books, readOnly: readOnly, events: events)
        }
        let masters = service.cluster.status.count
        let topology = service.cluster.isCluster ? "cluster \(masters)" : "single"
        let shown = try Screen(
            snapshot: WarRoomSnapshot(
                phase: .starting("reading both stores"), saleName: service.sale.name, saleState: service.sale.state,
                durability: service.sale.durability, topology: topology, redisURL: redisURL, ordersURL: ordersURL),
            permissions: Permissions(isReadOnly: readOnly, isProduction: screen.production), theme: theme,
            options: screen, mailbox: mailbox,
            signals: signals,
            events: events)
        let interpreter = ActInterpreter(mailbox: mailbox)
        interpreter.attach(service: service, floor: nil)
        let sight = RowsInSight()
        shown.onSight = { sight.put($0) }
        let sampler = WarRoomSampler(
            service: service, witness: nil, topology: topology, redisURL: redisURL, ordersURL: ordersURL,
            thresholds: .inUse, sight: sight
        ) { mailbox.put($0) }
        let sweep = WarRoomSampler.sweepSeconds(of: service.catalogue.entries.count)
        events.add(
            .info,
            "watching \(service.catalogue.entries.count) SKUs in \(service.catalogue.buckets.count.counted("bucket"))"
                + (sweep > 1
                    ? "; what is in sight or sells is read each second, all within \(Int(sweep.rounded(.up))) s" : ""))
        let work = Task.detached {
            await withDiscardingTaskGroup { group in
                group.addTask { await sampler.run() }
                group.addTask { await service.observe() }
            }
        }
        let ending = shown.run { interpreter.interpret($0) }
        work.cancel()
        Blocking.end(signals: signals) {
            await work.value
            service.cluster.close()
            await service.store.close()
        }
        return ending.exitCode
    }
}
