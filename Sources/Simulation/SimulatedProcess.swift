import Deduction
import Inventory
import Operations
import OrderStore
import Redis
import Synchronization
import Telemetry

/// One simulated process: the composition that really runs, on ports of this world.
final class SimulatedProcess: Sendable {
    let number: Int
    let life: ProcessLife
    let links: SimulatedRedis
    private let redis: any RedisPort
    private let store: any OrderStore
    private let options: SaleService.Options
    private let tell: @Sendable (String) -> Void
    private let present = Mutex<SaleService?>(nil)

    /// - Parameters:
    ///   - redis, store: `links` and the simulated store, or a planted bug before them.
    ///   - tell: hears what the service tells people.
    init(
        number: Int, life: ProcessLife, links: SimulatedRedis, redis: any RedisPort, store: any OrderStore,
        options: SaleService.Options, tell: @escaping @Sendable (String) -> Void
    ) {
        self.tell = tell
        self.number = number
        self.life = life
        self.links = links
        self.redis = redis
        self.store = store
        self.options = options
    }

    /// The service once it has started, and while the process lives.
    var service: SaleService? { life.isAlive ? present.withLock { $0 } : nil }

    /// Asks the service something; `nil`: no answer was heard in time, or ever. What was asked goes on without its asker.
    func ask<Value: Sendable>(
        patience: Duration, _ question: @escaping @Sendable (SaleService) async -> Value
    ) async -> Value? {
        let executor = life.executor
        let hearing = Hearing<Value>()
        return await withCheckedContinuation { continuation in
            hearing.begin(continuation)
            let timer = executor.schedule(at: executor.now + patience) { hearing.end(nil) }
            // Not a child task: the asker does not wait for it longer than its patience lasts.
            Task(executorPreference: executor) { [self] in
                await life.wait(until: executor.now)
                guard let service else { return hearing.end(nil) }
                let value = await question(service)
                executor.cancel(timer)
                hearing.end(life.isAlive ? value : nil)
            }
        }
    }

    /// Starts, works, and ends when the process dies.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.work() }
            group.addTask { [life] in
                await withCheckedContinuation { continuation in life.onDeath { continuation.resume() } }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func work() async {
        while life.isAlive, !Task.isCancelled {
            do {
                let service = try await SaleService(
                    cluster: redis, store: store, options: options, clock: life.clock,
                    events: EventLog { [tell] in tell($0.text) })
                present.withLock { $0 = service }
                await service.run()
                return
            } catch {
                try? await life.clock.sleep(for: .milliseconds(50))
            }
        }
    }
}

/// One asker who waits for one answer, or for the end of their patience.
private final class Hearing<Value: Sendable>: Sendable {
    private let continuation = Mutex<CheckedContinuation<Value?, Never>?>(nil)

    func begin(_ continuation: CheckedContinuation<Value?, Never>) {
        self.continuation.withLock { $0 = continuation }
    }

    func end(_ value: Value?) {
        let waiting = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        waiting?.resume(returning: value)
    }
}
