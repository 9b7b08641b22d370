/// What a wire does to what passes through it; may be changed while it is in use.
///
/// What lies on the wire when a fault is set meets it too. Bytes that were dropped are gone for good, so a direction of a
/// connection that dropped any stays silent, also after the fault is over, and `WireProxy` cuts that connection then: both ends
/// connect again, as they would after a line came back.
public struct WireFaults: Sendable, Equatable {
    /// One direction.
    public struct Way: Sendable, Equatable {
        /// How long bytes are held, at least; with much under way at most twice as long.
        public var delay: Duration
        /// Bytes vanish, and the connection stays up.
        public var isDead: Bool

        public init(delay: Duration = .zero, isDead: Bool = false) {
            self.delay = delay
            self.isDead = isDead
        }
    }

    public var toServer: Way
    public var toClient: Way
    /// Who connects is hung up on at once.
    public var refusesConnections: Bool

    public init(toServer: Way = Way(), toClient: Way = Way(), refusesConnections: Bool = false) {
        self.toServer = toServer
        self.toClient = toClient
        self.refusesConnections = refusesConnections
    }

    public static let none = WireFaults()
    /// Connections stay up, and nothing arrives on either side.
    public static let blackHole = WireFaults(toServer: Way(isDead: true), toClient: Way(isDead: true))
    /// Requests arrive and run; nothing comes back. On a replication link: the master's stream vanishes, while the replica's
    /// acknowledgements, of what it had before, still arrive.
    public static let deadToClient = WireFaults(toClient: Way(isDead: true))
    /// Nothing arrives at the server; what it has to say still comes.
    public static let deadToServer = WireFaults(toServer: Way(isDead: true))

    public static func delay(toServer: Duration = .zero, toClient: Duration = .zero) -> WireFaults {
        WireFaults(toServer: Way(delay: toServer), toClient: Way(delay: toClient))
    }

    subscript(_ direction: WireDirection) -> Way { direction == .toServer ? toServer : toClient }
}

enum WireDirection: Sendable, Hashable, CaseIterable { case toServer, toClient }

/// Whom faults meet.
public enum WireAudience: Sendable, Hashable {
    /// Everyone for whom nothing else was set.
    case everyone
    /// Connections that are no replication links.
    case clients
    /// The replication link of the replica that listens on this port. A link is known for one once it names its port, a few
    /// messages after it was made; until then it counts as a client.
    case replica(port: Int)
}
