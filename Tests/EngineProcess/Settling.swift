import Deduction
import Inventory
import Operations
import OrderStore
import Reconciliation
import Redis

/// Waits until nothing is under way any more and both books agree.
struct Settling {
    let service: SaleService
    private let patience = Duration.seconds(15)
    private let clock = ContinuousClock()

    init(service: SaleService) { self.service = service }

    struct NotSettled: Error, CustomStringConvertible { let description: String }

    func wait() async throws {
        let giveUpAt = clock.now + patience
        while true {
            let obstacle = try await obstacle()
            guard let obstacle else { return }
            guard clock.now < giveUpAt else { throw NotSettled(description: "not settled: \(obstacle)") }
            try await clock.sleep(for: .milliseconds(20))
        }
    }

    private func obstacle() async throws -> String? {
        let totals = try await service.store.orderTotals()
        if totals.pendingGiveBacks > 0 { return "\(totals.pendingGiveBacks) give-backs wait" }
        if totals.partial > 0 { return "\(totals.partial) orders are half done" }
        let fenced = service.supervisor.status.fenced
        if !fenced.isEmpty { return "fenced: \(fenced)" }
        let stopped = service.engine.laneStatuses.filter { !$0.isOpen }
        if !stopped.isEmpty { return "stopped: \(stopped)" }
        let comparison = await service.compare(ledgers: true)
        if let unread = comparison.unread.first { return unread.value }
        return comparison.findings.first?.sentence
    }
}
