/// How the servers of a fleet keep what they are told.
public struct ServerOptions: Sendable, Equatable {
    /// Whether a server writes every change to a file before or soon after it says yes.
    public enum AppendOnly: String, Sendable, CaseIterable {
        case off
        /// To disk once a second.
        case everySecond = "everysec"
        /// To disk before the reply.
        case always
    }

    public var appendOnly = AppendOnly.off
    /// `maxmemory` in bytes; beyond it writes are refused, nothing is evicted. `nil`: no limit.
    public var memoryBytesMax: Int?
    /// Whether a cluster promotes a replica by itself, some 3 s after its master fell silent. Otherwise only
    /// `EmbeddedFleet.promote` does, so that a run's faults are those that were asked for.
    public var failsOver = false

    public init(appendOnly: AppendOnly = .off, memoryBytesMax: Int? = nil, failsOver: Bool = false) {
        self.appendOnly = appendOnly
        self.memoryBytesMax = memoryBytesMax
        self.failsOver = failsOver
    }

    /// For redis.conf.
    var lines: [String] {
        var lines: [String]
        switch appendOnly {
        case .off: lines = ["appendonly no"]
        case .everySecond, .always:
            // Never rewritten: an older size of the file is an older state.
            lines = ["appendonly yes", "appendfsync \(appendOnly.rawValue)", "auto-aof-rewrite-percentage 0"]
        }
        if let memoryBytesMax { lines.append("maxmemory \(memoryBytesMax)") }
        return lines
    }
}
