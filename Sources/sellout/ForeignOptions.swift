import ArgumentParser
import Operations
import Redis

/// How keys that are not ours are made, and what reading them may cost.
struct ForeignOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Without --orders: how the stock's keys are made.",
            discussion: """
                The words sku and tag stand for what differs: stock:sku, ss_{tag}_sku. Braces are the keys' own. Between letters write \
                <sku>; a backslash makes a word literal: \\sku:sku. Left out, a few keys are looked at and a usual form is taken.
                """))
    var stockKey: String?

    @Option(
        help:
            "Without --orders: how the ledgers' keys are made: hashes with a field for each order. None: rates by stock."
    )
    var ledgerKey: String?

    @Option(help: "Keys a second that the search for SKUs looks at.")
    var scanRate = 5_000

    @Option(help: "Keys a second that are read, at most.")
    var readRate = 10_000

    func validate() throws {
        guard (1...1_000_000).contains(scanRate) else {
            throw ValidationError("--scan-rate \(scanRate): use 1 to 1000000")
        }
        guard (10...1_000_000).contains(readRate) else {
            throw ValidationError("--read-rate \(readRate): use 10 to 1000000")
        }
        if ledgerKey != nil, stockKey == nil { throw ValidationError("--ledger-key wants --stock-key beside it") }
        do { _ = try keys } catch { throw ValidationError("\(error)") }
    }

    /// What was asked for; `nil`: nothing.
    var keys: ForeignKeys? {
        get throws(KeyTemplate.Problem) {
            guard let stockKey else { return nil }
            let stock = try KeyTemplate(stockKey)
            guard let ledgerKey else { return try ForeignKeys(stock: stock) }
            return try ForeignKeys(stock: stock, ledger: KeyTemplate(ledgerKey))
        }
    }

    var budget: ForeignBudget {
        var budget = ForeignBudget()
        (budget.scanKeysPerSecond, budget.readsPerSecond) = (scanRate, readRate)
        return budget
    }

    /// What was asked for, else the usual form that a few keys have.
    func keys(on cluster: RedisCluster) async throws -> ForeignKeys {
        if let asked = try keys { return asked }
        do {
            if let guess = try await ForeignKeys.guess(on: cluster) { return guess }
        } catch {
            guard let rule = error.missingRule else { throw error }
            throw Problem(description: "\(cluster.url.address) forbids the search for SKUs: allow this user \(rule)")
        }
        throw Problem(
            description:
                "\(cluster.url.address) has no keys that look like stock; give --stock-key, such as stock:sku, or --orders"
        )
    }

    struct Problem: Error, CustomStringConvertible { let description: String }
}

/// What connecting asks of servers that are only looked at: older ones do, too.
extension RedisOptions {
    static var looking: RedisOptions {
        var options = RedisOptions()
        options.majorVersionMin = 6
        return options
    }
}
