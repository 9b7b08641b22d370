import ArgumentParser
import Foundation
import Inventory
import Operations
import OrderStore
import Redis
import Settings
import TerminalUI

/// Everything that can be set, in one table: `sellout config` prints it, the file is read by it, commands get their options from it.
enum SettingTable {
    static let all: [Setting] = places + keys + screen + alerts + demo + reconcile

    // MARK: Where to look

    private static let reading: Set<String> = [
        "watch", "reconcile", "snapshot", "freeze", "thaw", "restock", "open", "halt", "close", "dead-letters",
        "refunds",
    ]

    private static let places: [Setting] = [
        Setting(
            "profile", .text(takes: "the name of a profile") { !$0.isEmpty }, option: "profile",
            help: "the profile that holds where none is asked for"),
        Setting(
            "redis", .text(takes: "redis://[user:password@]host[:port]") { (try? RedisURL($0)) != nil },
            option: "redis",
            commands: reading.union(["doctor"]), shown: { (try? RedisURL($0))?.description ?? "redis://…" },
            help: "Redis, single or cluster"
        ),
        Setting(
            "redisPasswordFile", .text(takes: "a path") { !$0.isEmpty }, option: "redis-password-file",
            commands: reading.union(["doctor"]), help: "a file of mode 600 whose first line is Redis's password"),
        Setting(
            "orders", .text(takes: "sqlite:PATH") { (try? OrderStoreURL($0)) != nil }, option: "orders",
            commands: reading.union(["doctor"]), shown: OrderStoreURL.shown, help: "the order store"),
        Setting(
            "redisUser", .text(takes: "a Redis user") { !$0.isEmpty }, option: "redis-user",
            commands: reading.union(["doctor"]), help: "the Redis user, where the address names none"),
        Setting(
            "readOnly", .flag, standard: "false", option: "read-only",
            commands: reading.subtracting(["snapshot"]),
            help: "looks only: keys that would change anything are unbound, commands that would are refused"),
        Setting(
            "production", .flag, standard: "false", option: "production",
            commands: ["watch", "demo", "open", "freeze", "thaw", "restock", "halt", "close"], isMark: true,
            help: "marks the place: red frame, the word PROD; set in the file, only the file lifts it"),
    ]

    // MARK: Somebody else's keys

    private static let keys: [Setting] = [
        Setting(
            "watch.stockKey",
            .text(takes: "a template such as stock:sku or ss_{tag}_sku") { (try? KeyTemplate($0)) != nil },
            option: "stock-key", commands: ["watch", "snapshot", "doctor"],
            help: "how the stock's keys are made, where there is no SQL"),
        Setting(
            "watch.ledgerKey", .text(takes: "a template such as sx_{tag}_sku") { (try? KeyTemplate($0)) != nil },
            option: "ledger-key", commands: ["watch", "snapshot", "doctor"],
            help: "how the ledgers' keys are made; hashes, a field an order"),
        Setting(
            "watch.scanRate", .whole(1...1_000_000), standard: "5000", option: "scan-rate",
            commands: ["watch", "snapshot", "doctor"],
            help: "keys a second that the search for SKUs looks at"),
        Setting(
            "watch.readRate", .whole(10...1_000_000), standard: "10000", option: "read-rate",
            commands: ["watch", "snapshot", "doctor"], help: "keys a second that are read, at most"),
    ]

    // MARK: The screen

    private static let screens: Set<String> = ["watch", "demo"]

    private static let screen: [Setting] = [
        Setting(
            "theme", .text(takes: "a theme's name or the path of a scheme") { !$0.isEmpty },
            standard: ThemeLibrary.defaultName, option: "theme", commands: screens, help: "the screen's theme"),
        Setting(
            "themes", .text(takes: "a folder") { !$0.isEmpty }, option: "themes", commands: screens,
            help: "one more folder of themes, looked in before all others"),
        Setting(
            "colours", .text(takes: words(ColourDepthChoice.self), check: { ColourDepthChoice(rawValue: $0) != nil }),
            standard: "auto", option: "colours", commands: screens, help: "how many colours the terminal is given"),
        Setting(
            "ascii", .flag, standard: "false", option: "ascii", commands: screens,
            help: "draws with ASCII letters only"),
        Setting(
            "refresh", .whole(1...30), standard: "10", option: "refresh", commands: screens,
            help: "frames a second at most; a key is answered at once"),
        Setting(
            "linear", .flag, standard: "false", option: "linear", commands: screens,
            help: "no screen: changes as plain sentences, a line each"),
    ]

    // MARK: Alerts

    private static let alerts: [Setting] = [
        Setting(
            "alerts.lowStockPercent", .number(0...100), standard: "10",
            help: "a SKU with this share of its allocation left, or less, is LOW"),
        span("alerts.outboxAge", "2s", help: "SQL may be so far behind Redis"),
        Setting(
            "alerts.driftUnits", .whole(1...1_000_000_000), standard: "1", help: "units by which the stores differ"),
        Setting(
            "alerts.skewRatio", .number(1...1_000), standard: "2",
            help: "the busiest node takes so many times the mean of all"),
        Setting("alerts.errorPercent", .number(0...100), standard: "1", help: "calls to a node that fail"),
        span("alerts.memoryForecast", "1h", help: "Redis is full within so long, at the ledgers' present growth"),
        Setting(
            "alerts.hotSlotPercent", .number(0...100), standard: "60", help: "one slot's share of all orders"),
        Setting("alerts.bell", .flag, standard: "false", help: "rings the terminal's bell when a new alert comes"),
    ]

    // MARK: The demo

    private static let demo: [Setting] = [
        whole("masters", 1...100, "3", help: "Redis masters; 1 is a plain single server"),
        whole("replicas", 0...2, "0", help: "replicas of each master"),
        of(
            "durability", Durability.self, takes: "memory, aof, replicated:N or durable", "durable",
            help: "what yes means"),
        of(
            "whileFenced", WhileFenced.self, takes: "try-again or sql:RATE", "try-again",
            help: "what a buyer hears while a bucket is fenced"),
        of(
            "reservationTimeout", TimeSpan.self, takes: spanWords, "10m",
            help: "how long a reservation waits; 0: for ever"),
        of(
            "latePayments", LatePaymentPolicy.self, takes: "refund or reserveAgain", "refund",
            help: "a payment whose order has ended"),
        demoSetting("abandon", .number(0...1), "0", help: "share of the buyers who never pay"),
        whole("skus", 1...100_000, "1000", help: "SKUs in the sale"),
        whole("units", 1...1_000_000_000, nil, help: "units of each SKU"),
        whole("limitPerBuyer", 1...1_000_000, nil, help: "units of each SKU that one buyer may hold"),
        demoSetting("skuRate", .number(1...10_000_000), nil, help: "orders a second for each SKU"),
        demoSetting("nodeRate", .number(1...10_000_000), nil, help: "orders a second for each node"),
        of("dedupeHorizon", TimeSpan.self, takes: spanWords, nil, help: "how long Redis's ledger answers a retry"),
        of("rate", BuyerRate.self, takes: "buyers a second, or max", nil, help: "buyers a second"),
        whole("seed", 0...Int.max, "1", help: "seed of the shoppers"),
        of("duration", TimeSpan.self, takes: spanWords, nil, help: "how long buyers come"),
        of("outboxDelay", TimeSpan.self, takes: spanWords, nil, help: "delay of every write to SQL"),
        demoSetting("keep", .text(takes: "a folder") { !$0.isEmpty }, nil, help: "where fleet and books are left"),
    ]

    private static let reconcile: [Setting] = [
        Setting(
            "reconcile.policy",
            .text(takes: "newestFirst, oldestFirst or smallestFirst") { OversoldPolicy(argument: $0) != nil },
            standard: "newestFirst", option: "policy", commands: ["reconcile"],
            help: "who loses where more was promised than there is")
    ]

    // MARK: Making them

    private static let spanWords = "a span of time, such as 500ms, 20s or 2m"

    private static func words<Choice: CaseIterable & RawRepresentable<String>>(_: Choice.Type) -> String {
        Choice.allCases.map(\.rawValue).joined(separator: ", ")
    }

    private static func span(_ key: String, _ standard: String, help: String) -> Setting {
        Setting(key, .text(takes: spanWords) { TimeSpan(argument: $0) != nil }, standard: standard, help: help)
    }

    private static func whole(_ name: String, _ range: ClosedRange<Int>, _ standard: String?, help: String) -> Setting {
        demoSetting(name, .whole(range), standard, help: help)
    }

    private static func of<Value: ExpressibleByArgument>(
        _ name: String, _: Value.Type, takes: String, _ standard: String?, help: String
    ) -> Setting {
        demoSetting(name, .text(takes: takes) { Value(argument: $0) != nil }, standard, help: help)
    }

    private static func demoSetting(_ name: String, _ shape: Setting.Shape, _ standard: String?, help: String)
        -> Setting
    {
        Setting(
            "demo.\(name)", shape, standard: standard, option: dashed(name), commands: ["demo"], help: help)
    }

    /// `outboxDelay` as an option: `outbox-delay`; `skuRate`: `sku-rate`.
    private static func dashed(_ name: String) -> String {
        name.map { $0.isUppercase ? "-" + $0.lowercased() : String($0) }.joined()
    }
}

/// How many colours a terminal is given.
enum ColourDepthChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, full
    case palette256 = "256"
    case sixteen = "16"
    case none

    /// `nil`: as the environment says.
    var depth: TerminalCapabilities.ColourDepth? {
        switch self {
        case .auto: nil
        case .full: .direct
        case .palette256: .palette256
        case .sixteen: .sixteen
        case .none: .mono
        }
    }
}
