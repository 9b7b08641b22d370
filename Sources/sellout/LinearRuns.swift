import Foundation
import Inventory
import Lab
import Operations
import OrderStore
import Redis
import Synchronization
import Telemetry

// What --linear does: the same sampler as behind the screen, told instead of drawn.

extension WatchCommand {
    func work() async throws -> Int32 {
        guard let books else { return try await tellForeign() }
        let events = EventLog()
        let (service, redisURL, ordersURL) = try await source.connect(orders: books, readOnly: true, events: events)
        let printer = LinearPrinter()
        let sampler = WarRoomSampler(
            service: service, witness: nil, topology: service.topologyWords, redisURL: redisURL, ordersURL: ordersURL,
            thresholds: .inUse
        ) { printer.take($0) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await sampler.run() }
            group.addTask { await service.observe() }
            await printer.waitForEnd()
            group.cancelAll()
        }
        service.cluster.close()
        await service.store.close()
        return 0
    }
}

extension DemoCommand {
    /// Runs a sale as the screen would after `F`, and tells of it; ends after `--duration`, else with a signal or its reader.
    func tell(_ configuration: DemoFloor.Configuration, buyersPerSecond: Double?, seconds: Double) async throws -> Int32
    {
        let printer = LinearPrinter()
        let events = EventLog()
        var configuration = configuration
        configuration.onProgress = { printer.say("starting: \($0)") }
        let floor = try await DemoFloor.start(configuration, events: events)
        let sampler = WarRoomSampler(
            service: floor.service, witness: floor, topology: floor.topology, redisURL: floor.fleet.url,
            ordersURL: floor.ordersURL, thresholds: .inUse
        ) { printer.take($0) }
        let endsItself = duration != nil
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await floor.run() }
            group.addTask { await sampler.run() }
            await withTaskGroup(of: Void.self) { inner in
                inner.addTask {
                    // The first snapshot tells what there is before anything happens to it.
                    await sampler.sample()
                    let report = await floor.service.control.open()
                    guard report.succeeded else { return }
                    await floor.sell(buyersPerSecond: buyersPerSecond, seconds: seconds)
                    if !Task.isCancelled { events.add(.info, "the buyers have gone") }
                    guard endsItself else { return await printer.waitForEnd() }
                    _ = await floor.service.control.halt()
                    _ = await floor.drained(patience: .seconds(10))
                    _ = await floor.service.compare()
                    await sampler.sample()
                    printer.sum()
                }
                inner.addTask { await printer.waitForEnd() }
                await inner.next()
                inner.cancelAll()
            }
            group.cancelAll()
        }
        await floor.stop()
        if let kept = floor.keptSentence { printer.say(kept) }
        return 0
    }
}

extension SaleService {
    /// `cluster 3`, `single`
    var topologyWords: String { cluster.isCluster ? "cluster \(cluster.status.count)" : "single" }
}
