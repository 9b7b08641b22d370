import ArgumentParser
import Deduction
import Foundation
import Operations
import OrderStore
import Redis

/// Where Redis is, and who we are there.
struct RedisSource: ParsableArguments {
    @Option(
        help:
            "Redis, single or cluster: redis://[user@]host:port. The password comes from SELLOUT_REDIS_PASSWORD, a file, or a prompt."
    )
    var redis: String

    @Option(help: "The Redis user, where the address names none.")
    var redisUser: String?

    @Option(help: "A file of mode 600 whose first line is Redis's password; SELLOUT_REDIS_PASSWORD wins over it.")
    var redisPasswordFile: String?

    @OptionGroup var settings: SettingOptions

    /// An address that cannot be read is an error of the command line, not of what it names.
    func validate() throws {
        do { _ = try RedisURL(redis) } catch { throw ValidationError("\(error)") }
    }

    /// Connects, asks for the password where one is wanted and somebody is there to ask, or says in one line why not.
    func connect(options: RedisOptions = RedisOptions()) async throws -> RedisCluster {
        try await connect(to: try complete(), options: options)
    }

    /// The address and who we are there, as far as it is known before anybody answers.
    private func complete() throws -> RedisURL {
        try Credentials(user: redisUser, passwordFile: redisPasswordFile).complete(try RedisURL(redis))
    }

    private func connect(to url: RedisURL, options: RedisOptions) async throws -> RedisCluster {
        do { return try await RedisCluster.connect(to: url, options: options) } catch {
            guard error.kind == .noAuth, url.password == nil else { throw error }
            guard PasswordPrompt.isPossible else { throw Credentials.Problem(description: Credentials.wanted(by: url)) }
            let asked = RedisURL(address: url.address, user: url.user, password: try PasswordPrompt.ask(for: url))
            return try await RedisCluster.connect(to: asked, options: options)
        }
    }

    /// Connects to Redis and the books, or says in one line why not.
    ///
    /// - Parameters:
    ///   - connected: Redis, where it is connected already; closed with what is returned, or on an error.
    ///   - scripts: `.unloaded` for an act or two: a server that lacks one gets it with the call. `nil`: all are loaded first.
    func connect(
        orders: String, readOnly: Bool, events: EventLog, on connected: RedisCluster? = nil, scripts: Scripts? = nil
    ) async throws -> (service: SaleService, redisURL: String, ordersURL: String) {
        do {
            return try await connect(orders, readOnly: readOnly, events: events, connected, scripts)
        } catch {
            connected?.close()
            throw error
        }
    }

    private func connect(
        _ orders: String, readOnly: Bool, events: EventLog, _ connected: RedisCluster?, _ scripts: Scripts?
    ) async throws -> (service: SaleService, redisURL: String, ordersURL: String) {
        let ordersURL = try OrderStoreURL(orders)
        // Opening for writing would make a store that is not there: a mistyped path must not leave a file behind.
        if case .sqlite(let path) = ordersURL, !FileManager.default.fileExists(atPath: path) {
            throw OrderStoreError(
                .refused, "there is no order store at \(PlainText.line(path)); name a file that a sale has written")
        }
        // A password that others may read is told of before anything is opened.
        let url = try complete()
        let store = try ordersURL.open(readOnly: readOnly)
        do {
            let cluster: RedisCluster
            if let connected {
                cluster = connected
            } else {
                cluster = try await connect(to: url, options: RedisOptions())
            }
            do {
                let service = try await SaleService(cluster: cluster, store: store, scripts: scripts, events: events)
                return (service, "redis://\(cluster.url.address)", ordersURL.description)
            } catch {
                cluster.close()
                throw error
            }
        } catch {
            await store.close()
            throw error
        }
    }
}

/// Where to look: the two addresses that most commands take.
struct Sources: ParsableArguments {
    @OptionGroup var source: RedisSource

    @Option(help: "The order store: sqlite:PATH.")
    var orders: String

    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast,
        help: "Only look: whatever would change anything is refused. A profile sets it.")
    var readOnly = false

    func validate() throws { try OrdersOption.validate(orders) }

    /// - Throws: where this place may only be looked at.
    func mayChange() throws {
        guard readOnly else { return }
        throw ActOptions.Refusal(
            description:
                "this place may only be looked at (readOnly of its settings, or --read-only); nothing was changed")
    }

    /// Connects to both, or says in one line why not.
    func connect(
        readOnly: Bool, events: EventLog, on connected: RedisCluster? = nil, scripts: Scripts? = nil
    ) async throws -> (service: SaleService, redisURL: String, ordersURL: String) {
        if !readOnly { try mayChange() }
        return try await source.connect(
            orders: orders, readOnly: readOnly, events: events, on: connected, scripts: scripts)
    }
}

enum OrdersOption {
    static func validate(_ orders: String) throws {
        do { _ = try OrderStoreURL(orders) } catch { throw ValidationError("\(error)") }
    }
}
