#if canImport(Glibc)
    import Glibc
#endif

/// Unix time, where a moment must mean the same to every process: in flows, outbox entries and the audit.
public enum WallClock {
    /// Milliseconds since 1970.
    public static var milliseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
    }

    /// Milliseconds since the machine started, sleep included: what `ContinuousClock` reads, without its arithmetic.
    static var uptimeMilliseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
    }
}
