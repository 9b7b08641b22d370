/// Why a command has no reply, and whether it may have run.
public struct RedisError: Error, Sendable, CustomStringConvertible {
    public enum Outcome: Sendable, Equatable {
        /// No byte of the command left this process: it surely does not run.
        case notSent
        /// The server answered with an error and did not do it.
        case refused
        /// It was sent and not answered, or a script raised half way: it may have run, or may run later.
        case unknown
    }

    public enum Kind: Sendable, Equatable {
        /// The connection broke, or could not be made.
        case connectionLost
        /// The deadline passed.
        case deadline
        /// Too many commands wait on this connection.
        case overloaded
        /// The connection was closed on our side.
        case closed
        case moved, ask, clusterDown, tryAgain, crossSlot
        case loading, noScript, readOnly, outOfMemory, busy, noReplicas, misconfigured, masterDown
        case noAuth, noPermission
        /// A script raised an error after it began; what it wrote before stays.
        case scriptFailed
        case wrongType
        /// Bytes that are not Redis's protocol.
        case protocolError
        /// The server is older than this program needs.
        case unsupportedVersion
        case badURL
        /// No node is known to serve the slot.
        case slotUncovered
        case other
    }

    public let outcome: Outcome
    public let kind: Kind
    /// One line: what happened, to what, what to do.
    public let message: String
    /// The server's own words, where it spoke.
    public let serverText: String?

    public init(_ outcome: Outcome, _ kind: Kind, _ message: String, serverText: String? = nil) {
        self.outcome = outcome
        self.kind = kind
        self.message = message
        self.serverText = serverText
    }

    public var description: String { message }

    /// The error that a server's error reply stands for.
    ///
    /// Error replies mean that nothing was done, but for one case: a script that raised after it began keeps what it wrote.
    /// Redis marks such a reply with `on @user_script`. The errors that stop a script's *first* write (out of memory,
    /// read-only, misconfigured, no replicas: conditions that cannot change while it runs) still mean that nothing was done.
    public static func fromServer(_ text: String, at address: RedisAddress) -> RedisError {
        let code = text.prefix { $0 != " " }
        let kind: Kind =
            switch code {
            case "MOVED": .moved
            case "ASK": .ask
            case "CLUSTERDOWN": .clusterDown
            case "TRYAGAIN": .tryAgain
            case "CROSSSLOT": .crossSlot
            case "LOADING": .loading
            case "NOSCRIPT": .noScript
            case "READONLY": .readOnly
            case "OOM": .outOfMemory
            case "BUSY": .busy
            case "NOREPLICAS": .noReplicas
            case "MISCONF": .misconfigured
            case "MASTERDOWN": .masterDown
            case "NOAUTH", "WRONGPASS": .noAuth
            case "NOPERM": .noPermission
            case "WRONGTYPE": .wrongType
            default: .other
            }
        let line = oneLine(text)
        if text.contains("on @user_script") {
            switch kind {
            case .outOfMemory, .readOnly, .misconfigured, .noReplicas: break
            default:
                return RedisError(.unknown, .scriptFailed, "\(address): a script failed: \(line)", serverText: text)
            }
        }
        let error = RedisError(.refused, kind, "\(address): \(line)", serverText: text)
        let message: String
        if code == "NOAUTH" {
            message = "\(address) wants a password: set SELLOUT_REDIS_PASSWORD"
        } else if let rule = error.missingRule {
            message = "\(error.message); allow this user \(rule): sellout doctor prints the rules"
        } else {
            return error
        }
        return RedisError(.refused, kind, message, serverText: text)
    }

    /// Server text as one printable line: control characters become spaces.
    private static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : $0 }))
    }
}
