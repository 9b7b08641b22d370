/// Why a fleet, or one of its servers, does not run.
public struct FleetError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// No redis-server in PATH.
        case redisMissing
        /// redis-server is older than 7.0.
        case redisTooOld
        /// The folder cannot be made, locked or written.
        case folder
        case noFreePort
        /// A server ended by itself.
        case died
        /// A server, or the cluster, did not come up in time.
        case timeout
        /// What was asked does not fit the fleet's state.
        case misuse
    }

    public let kind: Kind
    /// One line: what happened, to what, what to do.
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}
