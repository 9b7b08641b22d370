import Dashboard
import Foundation
import Host
import Inventory
import Operations
import Redis
import Telemetry

// `watch` without --orders: keys that somebody else sells from. It reads, and there is nothing that it could write.

extension WatchCommand {
    /// What is watched, connected.
    private struct Place: Sendable {
        let cluster: RedisCluster
        let keys: ForeignKeys

        var topology: String { cluster.isCluster ? "cluster \(cluster.masters.count)" : "single" }
        var redisURL: String { "redis://\(cluster.url.address)" }
        /// The place has no name of its own.
        var name: String { keys.stock.text }
    }

    private func connect() async throws -> Place {
        let cluster = try await source.connect(options: .looking)
        do { return Place(cluster: cluster, keys: try await foreign.keys(on: cluster)) } catch {
            cluster.close()
            throw error
        }
    }

    func runForeignScreen() throws -> Int32 {
        let theme = try screen.chosenTheme()
        let signals = try SignalWatch()
        let mailbox = try ScreenMailbox()
        let events = EventLog()
        let command = self
        let place = try Blocking.result { try await command.connect() }
        var first = WarRoomSnapshot(
            phase: .starting("looking for SKUs"), saleName: place.name, saleState: .open, durability: .memory,
            topology: place.topology, redisURL: place.redisURL)
        first.foreign = .init(stockKeys: place.keys.stock.text, ledgerKeys: place.keys.ledger?.text)
        let shown = try Screen(
            snapshot: first, permissions: Permissions(isReadOnly: true, isProduction: screen.production), theme: theme,
            options: screen, mailbox: mailbox, signals: signals, events: events)
        let sight = RowsInSight()
        shown.onSight = { sight.put($0) }
        let sampler = makeSampler(place, events: events, sight: sight) { mailbox.put($0) }
        let work = Task.detached { await sampler.run() }
        let ending = shown.run { ForeignInterpreter(cluster: place.cluster, mailbox: mailbox).interpret($0) }
        work.cancel()
        Blocking.end(signals: signals) {
            await work.value
            place.cluster.close()
        }
        return ending.exitCode
    }

    func tellForeign() async throws -> Int32 {
        let place = try await connect()
        let printer = LinearPrinter()
        let sampler = makeSampler(place, events: EventLog(), sight: nil) { printer.take($0) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await sampler.run() }
            await printer.waitForEnd()
            group.cancelAll()
        }
        place.cluster.close()
        return 0
    }

    private func makeSampler(
        _ place: Place, events: EventLog, sight: RowsInSight?, publish: @escaping @Sendable (WarRoomSnapshot) -> Void
    ) -> ForeignSampler {
        let ledger = place.keys.ledger.map { ", ledgers \($0)" } ?? ", no ledgers"
        events.add(
            .info,
            "watching \(place.keys.stock)\(ledger); at most \(foreign.readRate.inGroups) keys read and \(foreign.scanRate.inGroups) looked at a second; "
                + "nothing is written")
        return ForeignSampler(
            cluster: place.cluster, keys: place.keys, name: place.name, topology: place.topology,
            redisURL: place.redisURL, budget: foreign.budget, thresholds: .inUse, events: events, sight: sight,
            publish: publish)
    }
}

/// Answers what the screen asks for, where there is nothing to act on and no SQL to ask.
struct ForeignInterpreter: Sendable {
    let cluster: RedisCluster
    let mailbox: ScreenMailbox

    static let noBooks = "no SQL: only Redis's keys are watched"

    func interpret(_ effect: Effect) {
        switch effect {
        case .look(.nodes):
            Task.detached {
                let servers = await LookInterpreter.servers(of: cluster)
                mailbox.put(.seen(.nodes, .nodes(servers)))
            }
        case .look(.sku(let sku)): mailbox.put(.seen(.sku(sku), .sku(SKUSight(note: Self.noBooks))))
        case .look(let look): mailbox.put(.seen(look, .failed(Self.noBooks)))
        case .compare:
            mailbox.put(
                .planReady(
                    PlanSummary(
                        id: 0, lines: [], repairs: 0, sentence: "no SQL: there is nothing to compare Redis with")))
        case .quit, .suspend, .redraw, .bell, .previewTheme, .chooseTheme: break
        default:
            mailbox.put(
                .actDone(
                    ActReport(sentence: "these keys are not a sale of ours: nothing was changed", succeeded: false)))
        }
    }
}
