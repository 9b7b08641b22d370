import Deduction
import Glibc
import Host
import Inventory
public import Operations
public import OrderStore
public import Redis
import Synchronization
import Telemetry

/// The inside of a party: a part of a sale's service in a process of its own, which does what the rig's buyers ask over a socket,
/// until the rig is gone.
public enum PartyServer {
    public struct Configuration: Sendable {
        public var redis: String
        public var orders: String
        public var socket: String
        public var role: PartyRole
        public var seed: UInt64
        /// How late a worker settles what the outbox says: a slow SQL.
        public var outboxDelay = Duration.zero
        /// After which settled flows leave Redis's ledgers.
        public var horizon = Duration.seconds(3_600)
        /// What a planted bug alters; nothing, usually.
        public var alterations = Alterations()

        public init(redis: String, orders: String, socket: String, role: PartyRole, seed: UInt64) {
            self.redis = redis
            self.orders = orders
            self.socket = socket
            self.role = role
            self.seed = seed
        }
    }

    /// A bug put in on purpose: decorators before the ports, other values of policies.
    public struct Alterations: Sendable {
        public typealias Ports = (redis: any RedisPort, store: any OrderStore)
        public var ports: @Sendable (Ports) -> Ports = { $0 }
        public var options: @Sendable (inout SaleService.Options) -> Void = { _ in }
        public init() {}
    }

    private static let startPatience = Duration.seconds(15)

    /// Serves until the rig hangs up. Returns the exit code.
    public static func run(_ configuration: Configuration) async -> Int32 {
        let socket: LineSocket
        do { socket = try LineSocket.connect(path: configuration.socket) } catch {
            say("error: \(error.message)")
            return 2
        }
        let faults = PartyFaults(seed: configuration.seed)
        do {
            let service = try await start(configuration, faults)
            socket.send("0 ok ready")
            await serve(service, socket, faults, role: configuration.role)
            return 0
        } catch {
            say("error: \(error)")
            socket.send("0 fail \(PartyWire.plain("\(error)"))")
            return 2
        }
    }

    /// A server that is down at the start is waited for.
    private static func start(_ configuration: Configuration, _ faults: PartyFaults) async throws -> SaleService {
        let giveUpAt = ContinuousClock.now + startPatience
        while true {
            do {
                let cluster = try await RedisCluster.connect(to: RedisURL(configuration.redis))
                do {
                    let base = try SQLiteOrderStore.open(path: configuration.orders, clock: faults.clock)
                    let ports = configuration.alterations.ports((cluster, faults.store(base)))
                    let late: any OrderStore =
                        configuration.outboxDelay > .zero
                        ? DelayedOrderStore(ports.store, delay: configuration.outboxDelay, clock: ContinuousClock())
                        : ports.store
                    var options = SaleService.Options()
                    options.comparePeriod = .seconds(1)
                    options.archive.horizon = configuration.horizon
                    configuration.alterations.options(&options)
                    return try await SaleService(
                        cluster: ports.redis, store: ports.store, workerStore: late, options: options,
                        clock: faults.clock, events: EventLog { say("event: \($0.text)") })
                } catch {
                    cluster.close()
                    throw error
                }
            } catch {
                guard ContinuousClock.now < giveUpAt else { throw error }
                say("waiting: \(error)")
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private static func serve(
        _ service: SaleService, _ socket: LineSocket, _ faults: PartyFaults, role: PartyRole
    ) async {
        let desk = PartyDesk(service: service, faults: faults)
        let (asked, continuation) = AsyncStream.makeStream(of: (number: String, words: [Substring]).self)
        do {
            try OSThread.start(name: "party") {
                socket.readLines { line in
                    var words = line.split(separator: " ")
                    guard !words.isEmpty else { return }
                    let number = String(words.removeFirst())
                    continuation.yield((number, words))
                }
                continuation.finish()
            }
        } catch {
            continuation.finish()
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await service.run(role.parts) }
            group.addTask {
                await withDiscardingTaskGroup { requests in
                    for await (number, words) in asked {
                        requests.addTask { socket.send("\(number) \(await desk.answer(words))") }
                    }
                    // The rig has gone: so does everything here, whatever it waits for.
                    say("the rig hung up")
                    exit(0)
                }
            }
            await group.waitForAll()
        }
    }

    /// Straight to the descriptor: what was said stays said.
    static func say(_ line: String) {
        let bytes = Array("\(WallClock.milliseconds) \(line)\n".utf8)
        _ = write(1, bytes, bytes.count)
    }
}

/// What a party does.
public enum PartyRole: String, Sendable, CaseIterable {
    /// Takes and ends orders, and recovers what it finds fenced.
    case engine
    /// Drains the outbox, gives back, compares, and recovers.
    case worker

    var parts: SaleService.Parts {
        switch self {
        case .engine: [.engine, .recovery]
        case .worker: .all
        }
    }
}
