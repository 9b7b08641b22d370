import Host
import Synchronization

/// How long the machine itself holds threads up that want nothing but to run: a virtual one does whenever its host has others to
/// serve. No waiting time measured on it can be better.
struct MachineStalls: Sendable, Codable {
    /// Shorter ones are interrupts and the like.
    static let stallMillisecondsMin = 0.5
    static let measured = Duration.milliseconds(500)

    /// Part of the time in which a thread stood still, 0 to 1: the mean of all cores.
    var share = 0.0
    var longestMilliseconds = 0.0

    /// Keeps all cores busy for half a second.
    static func measure(cores: Int) async throws -> MachineStalls {
        let found = Mutex<[MachineStalls]>([])
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        for _ in 0..<cores {
            try OSThread.start(name: "stalls") {
                let stalls = watch()
                found.withLock { $0.append(stalls) }
                continuation.yield()
            }
        }
        var ended = 0
        for await _ in stream {
            ended += 1
            if ended == cores { break }
        }
        let all = found.withLock { $0 }
        return MachineStalls(
            share: all.map(\.share).reduce(0, +) / Double(max(1, all.count)),
            longestMilliseconds: all.map(\.longestMilliseconds).max() ?? 0)
    }

    private static func watch() -> MachineStalls {
        let clock = ContinuousClock()
        let start = clock.now
        var last = start
        var stalls = MachineStalls()
        while last - start < measured {
            let now = clock.now
            let gap = (now - last) / .milliseconds(1)
            if gap >= stallMillisecondsMin {
                stalls.share += gap
                stalls.longestMilliseconds = max(stalls.longestMilliseconds, gap)
            }
            last = now
        }
        stalls.share /= (last - start) / .milliseconds(1)
        return stalls
    }
}
