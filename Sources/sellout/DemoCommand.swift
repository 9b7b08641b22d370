public import ArgumentParser
import Foundation
public import Inventory
import Lab
import Operations
import Telemetry

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run a flash sale on a private Redis Cluster with shoppers, on screen or without.",
        discussion: """
            The fleet and the books live in a private folder and go when the demo ends, whatever ends it.

            sellout demo
            sellout demo --durability memory --outbox-delay 500ms
            sellout demo --skus 1 --units 10 --rate 2 --outbox-delay 3s
            sellout demo --no-ui --duration 20s --crash-at 8s --json
            """)

    @Option(help: "Redis masters; 1 is a plain single server.")
    var masters = 3

    @Option(help: "What yes means: memory (the script ran) or durable (SQL committed it).")
    var durability: Durability = .durable

    @Option(help: "SKUs in the sale.")
    var skus = 1_000

    @Option(help: "Units of each SKU. Without it the hottest SKUs sell out and the rest never do.")
    var units: Int64?

    @Option(help: "Buyers per second, or max. On screen the F dialog starts from it.")
    var rate: BuyerRate?

    @Option(help: "Seed of the shoppers.")
    var seed: UInt64 = 1

    @Option(help: "How long buyers come once the sale is open, such as 20s or 2m.")
    var duration: TimeSpan?

    @Option(help: "Delay of every write from the outbox to SQL, such as 500ms: a slow store.")
    var outboxDelay: TimeSpan = TimeSpan(seconds: 0)

    @Option(help: "Leave fleet and books in this folder when the demo ends.")
    var keep: String?

    @Flag(help: "No screen: run one sale and print its figures.")
    var noUi = false

    @Option(help: "Without a screen: kill a node this long after the opening.")
    var crashAt: TimeSpan?

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func validate() throws {
        guard (1...100).contains(masters) else { throw ValidationError("--masters \(masters): use 1 to 100") }
        guard (1...DemoSale.skusMax).contains(skus) else {
            throw ValidationError("--skus \(skus): use 1 to \(DemoSale.skusMax)")
        }
        if let units, !(1...1_000_000_000).contains(units) {
            throw ValidationError("--units \(units): use 1 to 1000000000")
        }
        if !noUi && crashAt != nil { throw ValidationError("--crash-at needs --no-ui; on screen, C crashes a node") }
        if let crashAt, let duration, crashAt.seconds >= duration.seconds {
            throw ValidationError("--crash-at \(crashAt.text): the sale is over after \(duration.text)")
        }
    }

    func run() async throws {
        try await runWithoutScreen()
    }

    private func runWithoutScreen() async throws {
        var configuration = DemoRun.Configuration()
        configuration.seconds = duration?.seconds ?? 20
        configuration.crashAt = crashAt?.seconds
        configuration.buyersPerSecond = (rate ?? .max).perSecond
        configuration.floor = floorConfiguration(
            expectedRate: configuration.buyersPerSecond ?? 60_000, seconds: configuration.seconds)
        let events = EventLog { event in
            FileHandle.standardError.write(Data("\(event.text)\n".utf8))
        }
        let report = try await DemoRun(configuration).run(events: events)
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            print(ReportText.text(of: report))
        }
        if !report.unchecked.isEmpty { throw ExitCode(3) }
        if !report.keptItsPromise { throw ExitCode(1) }
    }

    func floorConfiguration(expectedRate: Double, seconds: Double) -> DemoFloor.Configuration {
        var floor = DemoFloor.Configuration()
        floor.masters = masters
        floor.durability = durability
        floor.skus = skus
        floor.stock =
            units.map { .each($0) }
            ?? .story(ordersPerSecond: expectedRate, seconds: seconds, zipfExponent: floor.shoppers.zipfExponent)
        floor.shoppers.seed = seed
        floor.shoppers.ratePerSecond = (rate ?? .max).perSecond
        floor.outboxDelay = .milliseconds(Int64(outboxDelay.seconds * 1_000))
        floor.keepFolder = keep
        return floor
    }
}

extension Durability: ExpressibleByArgument {}
