import Operations
import Redis

/// What to do about an error that ended a command, where its line does not say so itself.
enum Remedies {
    /// The error in one line: what happened, to what, what to do.
    static func line(_ error: any Error) -> String {
        let text = PlainText.line("\(error)")
        guard let redis = error as? RedisError, let remedy = remedy(for: redis) else { return text }
        return "\(text); \(remedy)"
    }

    /// `nil`: its own words say it.
    private static func remedy(for error: RedisError) -> String? {
        if error.message.contains("sellout doctor") { return nil }
        if error.isForbidden { return "allow this user what its scripts do: sellout doctor prints the rules" }
        switch error.kind {
        case .connectionLost:
            return "check the address, and that a Redis runs there and may be reached from here"
        case .deadline: return "it is busy or out of reach: try again, and see what keeps it (redis-cli --latency)"
        case .noAuth where error.message.contains("refused the login") || error.message.contains("WRONGPASS"):
            return "check the user and SELLOUT_REDIS_PASSWORD"
        case .clusterDown: return "the cluster is not whole: redis-cli --cluster check says what is missing"
        case .slotUncovered: return "the cluster is not whole: redis-cli --cluster check says which node is missing"
        case .loading: return "it reads what it had kept: try again when it is through"
        case .busy: return "a script runs too long there: SCRIPT KILL ends it"
        case .outOfMemory: return "give it more maxmemory"
        case .misconfigured: return "it cannot write to its disk: its log says why"
        case .readOnly: return "it is a replica: name its master"
        case .masterDown: return "it is a replica without its master: name the master"
        case .noReplicas: return "its replicas do not answer: bring them back, or lower min-replicas-to-write"
        case .scriptFailed, .wrongType:
            return "its keys hold something else than a sale's: compare with sellout reconcile"
        case .closed, .overloaded: return "try again"
        // Each says what to do, or is not met at the end of a command.
        case .noAuth, .noPermission, .protocolError, .unsupportedVersion, .badURL, .moved, .ask, .tryAgain,
            .crossSlot, .noScript, .other:
            return nil
        }
    }
}
