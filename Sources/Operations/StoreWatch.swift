import Deduction
import Inventory
import Telemetry

/// Tells at once when SQL begins to refuse, and when it takes orders again: a full disk in the middle of a sale is no news for the
/// end of it.
struct StoreWatch {
    /// How often SQL's last word is looked at.
    static let interval = Duration.milliseconds(100)
    /// SQL counts as well again after this long without an error.
    static let calmPeriod = Duration.seconds(1)

    private var isRefusing = false
    private var refusingSince: ContinuousClock.Instant?
    private var calmSince: ContinuousClock.Instant?

    enum News: Equatable {
        case refuses(String)
        case takesAgain(after: Duration)
    }

    /// What is new, given SQL's last error (`nil`: it works).
    mutating func look(error: String?, now: ContinuousClock.Instant) -> News? {
        if let error {
            calmSince = nil
            guard !isRefusing else { return nil }
            isRefusing = true
            refusingSince = now
            return .refuses(error)
        }
        guard isRefusing, let since = refusingSince else { return nil }
        let calm = calmSince ?? now
        calmSince = calm
        guard now - calm >= Self.calmPeriod else { return nil }
        isRefusing = false
        calmSince = nil
        return .takesAgain(after: calm - since)
    }
}

extension SaleService {
    /// Watches until cancelled.
    func watchStore(_ clock: SaleClock) async {
        var watch = StoreWatch()
        while !Task.isCancelled {
            switch watch.look(error: engine.storeError ?? worker.status.lastError, now: clock.now) {
            case .refuses(let error):
                events.add(.bad, "SQL refuses: \(error); orders wait in the outbox and are sent again", of: .store)
            case .takesAgain(let outage):
                events.add(.good, "SQL takes orders again after \(Alerts.tenths(outage.seconds)) s", of: .store)
            case nil: break
            }
            try? await clock.sleep(for: StoreWatch.interval)
        }
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
