import Inventory
import OrderStore

/// Whether somebody keeps the order store's write lock: then nothing is written, and who looks on must not blame those who would. A value.
struct LockWatch {
    /// Looks in a row, about a second apart, at which the same process must write with nothing moving: an engine at work is met
    /// writing, too, but what it writes moves.
    static let looksMin = 4

    private var writer: StoreWriter?
    private var drained: [BucketNumber: OutboxID] = [:]
    private var looks = 0
    private var since: ContinuousClock.Instant?

    /// A look.
    ///
    /// - Parameter records: how far SQL has drained each bucket.
    mutating func note(
        _ found: StoreWriter?, _ records: some Collection<BucketRecord>, now: ContinuousClock.Instant
    ) {
        let positions = Dictionary(uniqueKeysWithValues: records.map { ($0.bucket, $0.drainedThrough) })
        if let found, found == writer, positions == drained {
            looks += 1
        } else {
            (writer, drained, looks, since) = (found, positions, found == nil ? 0 : 1, found == nil ? nil : now)
        }
    }

    /// Who keeps it, and for how long at least; `nil`: nobody.
    func held(now: ContinuousClock.Instant) -> (writer: StoreWriter, seconds: Double)? {
        guard let writer, let since, looks >= Self.looksMin else { return nil }
        return (writer, since.duration(to: now) / .seconds(1))
    }

    /// What to say of it.
    func sentence(now: ContinuousClock.Instant) -> String? {
        held(now: now).map { held in
            let who = "process \(held.writer.process)" + (held.writer.name.map { " (\($0))" } ?? "")
            return "the order store is locked: \(who) has held its write lock for \(Int(held.seconds)) s, and nobody "
                + "else writes meanwhile: let it end, or end it"
        }
    }
}
