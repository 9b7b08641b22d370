import ArgumentParser
import Foundation
import Operations
import OrderStore
import Redis

/// Where to look: the two addresses that `watch` and `reconcile` take.
struct Sources: ParsableArguments {
    @Option(
        help:
            "Redis, single or cluster: redis://[user[:password]@]host:port. SELLOUT_REDIS_PASSWORD is used where none is given."
    )
    var redis: String

    @Option(help: "A file of mode 600 whose first line is Redis's password; SELLOUT_REDIS_PASSWORD wins over it.")
    var redisPasswordFile: String?

    @Option(help: "The order store: sqlite:PATH.")
    var orders: String

    @OptionGroup var settings: SettingOptions

    /// An address that cannot be read is an error of the command line, not of what it names.
    func validate() throws {
        do {
            _ = try RedisURL(redis)
            _ = try OrderStoreURL(orders)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    /// Connects to both, or says in one line why not.
    func connect(readOnly: Bool, events: EventLog) async throws -> (
        service: SaleService, redisURL: String, ordersURL: String
    ) {
        let ordersURL = try OrderStoreURL(orders)
        var url = try RedisURL(redis)
        if url.password == nil, let password = ProcessInfo.processInfo.environment["SELLOUT_REDIS_PASSWORD"],
            !password.isEmpty
        {
            url = RedisURL(address: url.address, user: url.user, password: password)
        } else if url.password == nil, let redisPasswordFile {
            url = RedisURL(
                address: url.address, user: url.user, password: try PasswordFile.read(redisPasswordFile))
        }
        // Opening for writing would make a store that is not there: a mistyped path must not leave a file behind.
        if case .sqlite(let path) = ordersURL, !FileManager.default.fileExists(atPath: path) {
            throw OrderStoreError(
                .refused, "there is no order store at \(PlainText.line(path)); name a file that a sale has written")
        }
        let store = try ordersURL.open(readOnly: readOnly)
        do {
            let cluster = try await connect(to: url)
            do {
                let service = try await SaleService(cluster: cluster, store: store, events: events)
                return (service, "redis://\(url.address)", ordersURL.description)
            } catch {
                cluster.close()
                throw error
            }
        } catch {
            await store.close()
            throw error
        }
    }

    private func connect(to url: RedisURL) async throws -> RedisCluster {
        do { return try await RedisCluster.connect(to: url) } catch {
            guard error.kind == .noAuth else { throw error }
            throw ValueError(
                description: "\(error.message); or set SELLOUT_REDIS_PASSWORD, which no process list shows")
        }
    }

    struct ValueError: Error, CustomStringConvertible { let description: String }
}
