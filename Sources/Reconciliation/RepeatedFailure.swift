/// What to tell of something that fails again and again, as a value: each reason once, and every so often how long it has gone on.
struct RepeatedFailure {
    /// Pause between two words about a failure that goes on.
    static let period = Duration.seconds(10)
    /// Reasons that are remembered.
    static let reasonsMax = 16

    private var reasons: Set<String> = []
    private var attempts = 0
    private var began: ContinuousClock.Instant?
    private var toldAt: ContinuousClock.Instant?

    /// The failure in words, if it is time for them.
    mutating func toTell(_ failure: String, now: ContinuousClock.Instant) -> String? {
        attempts += 1
        let start = began ?? now
        began = start
        // Each attempt has an epoch of its own: numbers are no news.
        let reason = failure.filter { !$0.isNumber }
        let isNew = reasons.count < Self.reasonsMax && reasons.insert(reason).inserted
        guard isNew || now - (toldAt ?? now) >= Self.period else { return nil }
        toldAt = now
        if attempts == 1 { return failure }
        return "\(failure) (attempt \(attempts), for \((now - start).components.seconds) s)"
    }
}
