import ArgumentParser
import Deduction
import Foundation
import Inventory
import Operations
import OrderStore
import Redis

struct HaltCommand: ParsableCommand, WorkerCommand {
    static let configuration = CommandConfiguration(
        commandName: "halt",
        abstract: "Halt the sale everywhere, at once. It never asks.",
        discussion: """
            The time that it prints is counted from the start of the program to the last bucket's answer.

            sellout halt --redis redis://127.0.0.1:7001 --orders sqlite:books.sqlite
            """)

    @OptionGroup var options: ActOptions

    func work() async throws -> Int32 {
        let sources = options.sources
        try sources.mayChange()
        guard let (cluster, brake) = await pull() else {
            // Not open, or out of reach: said by whoever has everything.
            do {
                return try await options.act("halt", asks: false) { control, _ in await control.halt() }
            } catch let error as RedisError {
                return try await haltInSQL(because: error)
            }
        }
        if let refusal = brake.refusal {
            cluster.close()
            throw OrderStoreError(.refused, refusal)
        }
        do { try await waitForWriting(brake) } catch {
            cluster.close()
            throw error
        }
        return try await options.act("halt", asks: false, on: cluster) { control, _ in await control.halt(after: brake)
        }
    }

    /// The brake: SQL is read while Redis is connected to, then every bucket is told, by the script's hash. Nothing is loaded, nothing is
    /// opened for writing, and a store that is locked is waited for after.
    ///
    /// - Returns: the connection on which it was done; `nil`: nothing was told, as SQL does not call the sale open or one of the two
    ///   cannot be reached.
    private func pull() async -> (RedisCluster, Brake)? {
        async let connecting = options.sources.source.connect()
        let store: any OrderStore
        let catalogue: Catalogue
        do {
            store = try OrderStoreURL(options.sources.orders).open(readOnly: true)
            catalogue = try await store.catalogue()
        } catch {
            if let cluster = try? await connecting { cluster.close() }
            return nil
        }
        guard let cluster = try? await connecting else {
            await store.close()
            return nil
        }
        let acts = BucketActs(catalogue: catalogue, cluster: cluster, scripts: .unloaded, store: store)
        let control = SaleControl(catalogue: catalogue, store: store, acts: acts, events: EventLog())
        let brake = try? await control.brake(since: Main.startedAt)
        await store.close()
        guard let brake else {
            cluster.close()
            return nil
        }
        return (cluster, brake)
    }

    /// Redis cannot be reached from here. Engines at work hear a halt from SQL, too: their `ActKeeper` tells every bucket of it.
    private func haltInSQL(because error: RedisError) async throws -> Int32 {
        let store = try OrderStoreURL(options.sources.orders).open(readOnly: false)
        let result: Result<Bool, any Error>
        do { result = .success(try await Self.halt(in: store, because: error)) } catch { result = .failure(error) }
        await store.close()
        guard try result.get() else { throw error }
        throw ActOptions.Refusal(
            description: "the sale is halted in SQL alone, for Redis cannot be reached from here (\(error)): a sale "
                + "that runs tells every bucket it reaches within a second; halt once more when Redis answers")
    }

    /// - Returns: whether SQL called it open before.
    private static func halt(in store: any OrderStore, because error: RedisError) async throws -> Bool {
        guard try await store.sale()?.state == .open else { return false }
        _ = try await store.setSaleState(from: [.open], to: .halted)
        let who = Operator.current
        try await store.audit(
            AuditEntry(
                atMilliseconds: Int64(WallClock.milliseconds), who: who.who, origin: who.origin, what: "halt",
                subject: "sale", before: SaleState.open.rawValue,
                after: "\(SaleState.halted.rawValue): in SQL alone, \(error)"))
        return true
    }

    /// Waits until SQL can be written, for as long as a halt is offered to it.
    private func waitForWriting(_ brake: Brake) async throws {
        let giveUpAt = ContinuousClock.now + SaleControl.haltPatience
        let refusing = SaleControl.refusing(brake.told, of: brake.of)
        var isTold = false
        while !Task.isCancelled {
            do {
                try await OrderStoreURL(options.sources.orders).open(readOnly: false).close()
                return
            } catch let error as OrderStoreError {
                guard ContinuousClock.now < giveUpAt else {
                    throw ActOptions.Refusal(
                        description: "\(refusing), but it is not in SQL: \(error); halt once more when it answers")
                }
                if !isTold {
                    let line = "\(refusing); the halt goes to SQL as soon as it answers: \(error)"
                    FileHandle.standardError.write(Data("sellout: \(PlainText.line(line))\n".utf8))
                }
                isTold = true
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
    }
}
