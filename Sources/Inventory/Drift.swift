/// One kind of disagreement between the books, measured in units.
///
/// Some are repaired by a guarded delta; where the data itself cannot be trusted the bucket is recovered (fenced, rebuilt from
/// SQL), never patched.
public enum DriftKind: String, Sendable, CaseIterable, Codable {
    /// Redis and SQL differ by what is on its way; not drift yet.
    case inFlight
    /// In Redis, drained, and yet not in SQL.
    case unpersisted
    /// In SQL and absent from Redis's stock.
    case lostInRedis
    /// A bucket's keys are gone or its node restarted: nothing of it can be trusted.
    case lostBucket
    /// In SQL, counted in Redis's stock, absent from the ledger.
    case missingLedgerEntry
    /// In Redis's ledger, its entry settled in SQL, and yet without a row there: somebody took the row away.
    case missingRow
    /// Taken (or given back) in Redis by entries that SQL settled, and no order there accounts for it: a flow taken twice,
    /// because somebody removed it from the ledger between.
    case unaccounted
    /// A field in a ledger that no script of ours writes.
    case foreignField
    /// A multi-bucket order of which only some groups were taken.
    case halfDone
    /// The same flow with another payload.
    case conflict
    case deadLetter
    /// Two outbox entries with one id: a rollback.
    case reusedID
    /// stock + taken ≠ allocated within Redis.
    case unbalanced
    case overCapacity
    case negative
    /// A bucket whose state or frozen SKUs in Redis are not what SQL says: it has not heard an act yet. It costs no units.
    case missedAct
    /// A key of ours that has a time to live: it will vanish by itself. It costs no units yet.
    case expiring

    /// Whether a bucket with this kind must be recovered rather than repaired.
    public var needsRecovery: Bool {
        switch self {
        case .lostBucket, .reusedID, .unbalanced, .overCapacity, .negative, .unaccounted: true
        default: false
        }
    }

    /// Whether only a change of what the stores hold, or a mistake of ours, brings it about. Orders of which a group, an answer or
    /// a person is still awaited do so without either.
    public var needsCause: Bool {
        switch self {
        case .inFlight, .missedAct, .halfDone, .conflict, .deadLetter: false
        default: true
        }
    }

    /// Whether it counts towards `driftUnits`.
    public var countsAsDrift: Bool { self != .inFlight && self != .missedAct && self != .expiring }
}
