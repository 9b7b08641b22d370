import Checker

/// What can be done to the system under torture.
enum TortureFault: String, CaseIterable, Sendable {
    // Processes.
    case masterKill, masterStop, replicaKill, replicaStop, engineKill, engineStop, workerKill, workerStop
    // Data.
    case flushAll, scriptFlush, keyLoss, aofCut, promotion
    // SQL.
    case sqlLocked, commitReplyLost
    // Wires between parties and Redis.
    case wireDelay, wireCut, wireDropRequests, wireDropReplies, wireBlackHole, replyLost
    // Time.
    case clockJump

    /// How often it is drawn, against the others.
    var weight: Int {
        switch self {
        case .masterKill, .engineKill: 4
        case .masterStop, .engineStop, .workerKill, .replyLost, .promotion, .aofCut, .keyLoss: 3
        case .workerStop, .flushAll, .sqlLocked, .commitReplyLost, .wireCut, .wireBlackHole, .replicaKill: 2
        default: 1
        }
    }

    /// Harms servers that hold each other's copies: one at a time, for a yes that rests on copies needs one that lives.
    var harmsServers: Bool {
        switch self {
        case .masterKill, .masterStop, .replicaKill, .replicaStop, .promotion, .aofCut, .flushAll: true
        default: false
        }
    }

    func isPossible(_ topology: TortureTopology, appendsOnly: Bool) -> Bool {
        switch self {
        case .replicaKill, .replicaStop, .promotion: topology == .replicated
        // A copy of the lost state would come back from the replicas' side only if it were promoted.
        case .aofCut: appendsOnly && topology != .replicated
        default: true
        }
    }
}

/// Where the sale's Redis runs.
public enum TortureTopology: String, CaseIterable, Sendable {
    /// One server.
    case single
    /// One master with two replicas.
    case replicated
    /// A cluster of three masters.
    case cluster

    var masters: Int { self == .cluster ? 3 : 1 }
    /// Of each master.
    public var replicas: Int { self == .replicated ? 2 : 0 }
}

/// One fault as it is going to be: everything drawn from the seed beforehand.
struct PlannedFault: Sendable {
    let fault: TortureFault
    /// Which of several targets, modulo their number.
    let target: Int
    let span: Duration
    /// For what else a fault needs.
    let dice: UInt64
}

/// Windows of one or two faults at once, and the pauses between them, drawn from a seed.
struct TorturePlan: Sendable {
    struct Window: Sendable {
        let faults: [PlannedFault]
        /// Of healing, after it.
        let pause: Duration
    }

    /// Before the first fault: long enough to count orders a second.
    static let quiet = Duration.milliseconds(2_500)

    let windows: [Window]

    /// - Parameter seconds: for all windows and pauses, about.
    init(seed: UInt64, seconds: Double, topology: TortureTopology, appendsOnly: Bool) {
        var random = SplitMix64(seed: seed ^ 0x6e65_6d65_7369_73)
        let possible = TortureFault.allCases.filter { $0.isPossible(topology, appendsOnly: appendsOnly) }
        let pot = possible.flatMap { Array(repeating: $0, count: $0.weight) }
        func draw() -> PlannedFault {
            let fault = pot[Int(random.next() % UInt64(pot.count))]
            let most = fault == .sqlLocked ? 6.5 : fault == .masterStop || fault == .engineStop ? 4 : 1.5
            return PlannedFault(
                fault: fault, target: Int(random.next() >> 33),
                span: .milliseconds(Int64(150 + random.unit() * most * 1_000)),
                dice: random.next())
        }
        var windows: [Window] = []
        var left = seconds
        while left > 0 {
            var faults = [draw()]
            if random.unit() < 0.25 {
                let second = draw()
                let collide = second.fault.harmsServers && faults[0].fault.harmsServers
                if second.fault != faults[0].fault, !(collide && topology == .replicated) { faults.append(second) }
            }
            let pause = 0.6 + random.unit() * 1.6
            left -= pause + faults.map(\.span.inSeconds).max()!
            windows.append(Window(faults: faults, pause: .milliseconds(Int64(pause * 1_000))))
        }
        self.windows = windows
    }
}
