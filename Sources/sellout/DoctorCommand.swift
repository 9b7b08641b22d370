import ArgumentParser
import Deduction
import Foundation
import Inventory
import Operations
import OrderStore
import Redis

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract:
            "Say what can be seen at a Redis, what you may do there, what watching costs, and what is wrong with it for a sale.",
        discussion: """
            It changes nothing. It ends with ACL rules that allow just what a watcher, an operator and an engine need.
            Exit codes: 0 good, 1 looked and found bad, 2 could not look, 3 something stayed unknown.

            sellout doctor --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            sellout doctor --redis redis://watcher@10.0.0.1:6379 --stock-key stock:sku --json
            """)

    @OptionGroup var source: RedisSource

    @Option(help: "The order store: sqlite:PATH. Left out, keys that are not ours are looked at.")
    var orders: String?

    @OptionGroup var foreign: ForeignOptions

    @Flag(help: "Print one JSON object instead of text.")
    var json = false

    func validate() throws {
        if let orders { try OrdersOption.validate(orders) }
    }
}

extension DoctorCommand: WorkerCommand {
    func work() async throws -> Int32 {
        var books: Doctor.Books?
        if let orders {
            let url = try OrderStoreURL(orders)
            if case .sqlite(let path) = url, !FileManager.default.fileExists(atPath: path) {
                throw OrderStoreError(.refused, "there is no order store at \(PlainText.line(path))")
            }
            let store = try url.open(readOnly: true)
            guard let sale = try await store.sale() else {
                throw OrderStoreError(.refused, "the order store holds no sale")
            }
            books = Doctor.Books(catalogue: try await store.catalogue(), durability: sale.durability)
            await store.close()
        }
        let cluster = try await source.connect(options: .looking)
        let doctor = Doctor(cluster: cluster, books: books, keys: try foreign.keys, budget: foreign.budget)
        if let books, let stranger = await SaleMark.stranger(in: books.catalogue, on: cluster) {
            cluster.close()
            throw OrderStoreError(.refused, stranger.sentence)
        }
        let report = await doctor.examine()
        cluster.close()
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(DoctorJSON(report)), as: UTF8.self))
        } else {
            print(Self.text(report))
        }
        return report.exitCode
    }

    private static func text(_ report: Doctor.Report) -> String {
        var lines = ["\(report.address)  \(report.topology)  user \(report.user ?? "?")"]
        let versions = Set(report.versions.values).sorted()
        lines.append(
            "Redis \(versions.isEmpty ? "?" : versions.joined(separator: ", "))  \(report.keyCount.map { "\($0) keys" } ?? "keys not counted")"
        )
        if let stock = report.stockKeys {
            lines.append("stock \(stock)  ledger \(report.ledgerKeys ?? "none")  about \(report.skuCount ?? 0) SKUs")
        } else if let count = report.skuCount {
            lines.append("\(count.counted("SKU")) by the order store")
        }
        lines += ["", "may"]
        for ability in report.abilities {
            let word = ability.role.words
            if !ability.lacking.isEmpty {
                lines.append("  no   \(word): lacks \(ability.lacking.joined(separator: " "))")
            } else if !ability.unknown.isEmpty {
                lines.append(
                    "  ?    \(word): not told (allow +acl|dryrun +acl|whoami): \(ability.unknown.joined(separator: " "))"
                )
            } else {
                lines.append("  yes  \(word)")
            }
        }
        lines += ["", "watching costs, a second"]
        for cost in report.costs {
            let rate =
                cost.perSecond >= 10 ? "\(Int(cost.perSecond.rounded()))" : "\((cost.perSecond * 10).rounded() / 10)"
            lines.append("  \(rate) \(cost.command)  \(cost.what)")
        }
        if report.costs.isEmpty { lines.append("  not known: no stock was found") }
        lines += ["", report.findings.isEmpty ? "nothing is wrong" : "found"]
        for finding in report.findings {
            lines.append("  \(finding.severity.rawValue.uppercased())  \(finding.sentence)")
        }
        lines += ["", "least-privilege users, for redis-cli on every node (put passwords of your own)"]
        if report.stockKeys == nil {
            lines.append(
                "  # +config|get tells appendfsync, which a sale at aof wants to know; it tells the server's passwords, too"
            )
        }
        for (role, line) in report.rules { lines += ["  # \(role.words)", "  \(line)"] }
        return lines.map(PlainText.line).joined(separator: "\n")
    }
}

extension AccessRole {
    /// As people say it.
    var words: String {
        switch self {
        case .watcher: "watch a sale of ours"
        case .operator: "operate it: halt, freeze, thaw, restock"
        case .engine: "sell and recover"
        case .foreignWatcher: "watch these keys alone"
        }
    }
}

private struct DoctorJSON: Encodable {
    struct Ability: Encodable {
        var role: String
        var allowed: Bool?
        var lacking: [String]
        var unknown: [String]
    }
    struct Cost: Encodable {
        var command: String
        var perSecond: Double
        var what: String
    }
    struct Finding: Encodable {
        var severity: String
        var sentence: String
    }

    var redis: String
    var topology: String
    var user: String?
    var versions: [String: String]
    var keys: Int?
    var stockKey: String?
    var ledgerKey: String?
    var skus: Int?
    var sweepSeconds: Int?
    var abilities: [Ability]
    var costs: [Cost]
    var findings: [Finding]
    var rules: [String: String]

    init(_ report: Doctor.Report) {
        redis = report.address
        topology = report.topology
        user = report.user
        versions = report.versions
        keys = report.keyCount
        stockKey = report.stockKeys
        ledgerKey = report.ledgerKeys
        skus = report.skuCount
        sweepSeconds = report.sweepSeconds
        abilities = report.abilities.map {
            Ability(
                role: $0.role.rawValue, allowed: !$0.lacking.isEmpty ? false : $0.unknown.isEmpty ? true : nil,
                lacking: $0.lacking, unknown: $0.unknown)
        }
        costs = report.costs.map { Cost(command: $0.command, perSecond: $0.perSecond, what: $0.what) }
        findings = report.findings.map { Finding(severity: $0.severity.rawValue, sentence: $0.sentence) }
        rules = Dictionary(report.rules.map { ($0.role.rawValue, $0.line) }) { $1 }
    }
}
