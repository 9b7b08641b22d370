import EngineHistory
import Glibc
import Inventory
import Lab
import Operations
import OrderStore
import Redis
import Telemetry

/// An engine in a process of its own, which others kill, or which kills itself at a named step.
///
/// `EngineProcess REDIS BOOKS HISTORY SEED ORDERS settle|run [STEP:COUNT]`: serves the sale in BOOKS, finishes what HISTORY
/// says was asked and not answered, places ORDERS new orders, one after another and then several at once, pays or cancels some,
/// and ends; with `settle` only once both books agree.
@main
enum EngineProcess {
    static func main() async {
        let arguments = CommandLine.arguments
        guard arguments.count >= 7, let seed = UInt64(arguments[4]), let orders = Int(arguments[5]),
            let history = HistoryWriter(path: arguments[3]),
            let death = DeathStep(arguments.count > 7 ? arguments[7] : "")
        else { fail("usage: EngineProcess REDIS BOOKS HISTORY SEED ORDERS settle|run [STEP:COUNT]") }
        do {
            let wire = try ScriptedWire(to: RedisURL(arguments[1]).address, death: death)
            let cluster = try await RedisCluster.connect(to: RedisURL(address: wire.proxy.address))
            let store = MortalOrderStore(base: try SQLiteOrderStore.open(path: arguments[2]), death: death)
            let events = EventLog { say("event: \($0.text)") }
            let service = try await SaleService(cluster: cluster, store: store, events: events)
            wire.know(service.scripts)
            let buyers = Buyers(service: service, history: history)
            let before = EngineHistory.read(arguments[3])
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await service.run() }
                do {
                    _ = try await service.warm()
                    await buyers.finish(before)
                    try await buyers.buy(orders, seed: seed)
                    if arguments[6] == "settle" { try await Settling(service: service).wait() }
                } catch {
                    fail("\(error)")
                }
                group.cancelAll()
            }
            cluster.close()
            await store.close()
            say("done")
            exit(0)
        } catch {
            fail("\(error)")
        }
    }

    private static func fail(_ why: String) -> Never {
        say("error: \(why)")
        exit(3)
    }

    /// Straight to the descriptor: a pipe would keep a printed line in its buffer.
    private static func say(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        _ = write(1, bytes, bytes.count)
    }
}
