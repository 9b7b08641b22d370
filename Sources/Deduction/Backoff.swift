/// How long to wait before the next try.
enum Backoff {
    /// `first` after one failure, twice as long after each further one in a row, never more than `longest`.
    static func pause(_ failures: Int, _ first: Duration, _ longest: Duration) -> Duration {
        min(longest, first * (1 << min(max(0, failures - 1), 20)))
    }
}
