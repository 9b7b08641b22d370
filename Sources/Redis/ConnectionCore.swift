import Host
import Synchronization

/// What callers of a connection and its thread share.
final class ConnectionCore: Sendable {
    typealias Completion = @Sendable (Result<RedisReply, RedisError>) -> Void

    /// A command on its way to the thread.
    struct Submission: Sendable {
        /// A command that goes out right behind another on the same connection, or not at all. It ends after it.
        struct Tail: Sendable {
            let command: RedisCommand
            let completion: Completion
        }

        let command: RedisCommand
        var tail: Tail?
        /// Send ASKING right before it.
        let asking: Bool
        let deadline: ContinuousClock.Instant
        let completion: Completion

        var byteCount: Int { command.byteCount + (tail?.command.byteCount ?? 0) }
    }

    private struct Inbox {
        var submissions: [Submission] = []
        /// The thread sleeps, or is about to, and must be woken by whoever brings work.
        var parked = false
        var closing = false
        var retiring = false
    }

    let address: RedisAddress
    let options: RedisOptions
    let notifier: EventNotifier
    private let inbox = Mutex(Inbox())
    private let outstanding = Atomic<Int>(0)
    private let outstandingBytes = Atomic<Int>(0)
    private let wantsNewConnection = Atomic<Bool>(false)
    private let published: Mutex<RedisNodeHealth>

    init(address: RedisAddress, options: RedisOptions) throws(HostError) {
        self.address = address
        self.options = options
        notifier = try EventNotifier()
        published = Mutex(RedisNodeHealth(since: .now))
    }

    // MARK: Callers

    func submit(_ submission: Submission) {
        // Counted before it is queued and given back when it ends, so that the limit holds over queue and flight together.
        let bytes = submission.byteCount
        let count = outstanding.add(1, ordering: .relaxed).newValue
        let total = outstandingBytes.add(bytes, ordering: .relaxed).newValue
        guard count <= options.outstandingCommandsMax, total <= options.outstandingBytesMax || count == 1 else {
            end(
                submission,
                RedisError(.notSent, .overloaded, "\(address): \(count - 1) commands wait already; send fewer at once"))
            return
        }
        let (accepted, wake) = inbox.withLock { inbox in
            guard !inbox.closing, !inbox.retiring else { return (false, false) }
            inbox.submissions.append(submission)
            defer { inbox.parked = false }
            return (true, inbox.parked)
        }
        if wake { notifier.notify() }
        guard !accepted else { return }
        end(submission, RedisError(.notSent, .closed, "\(address): the connection was closed"))
    }

    /// Ends a submission of which nothing was sent.
    func end(_ submission: Submission, _ error: RedisError) {
        ended(bytes: submission.byteCount)
        submission.completion(.failure(error))
        submission.tail?.completion(.failure(error))
    }

    /// Ends the connection: what waits is `notSent`, what was sent is `unknown`.
    func close() {
        inbox.withLock { $0.closing = true }
        notifier.notify()
    }

    /// Takes no more commands; ends the connection once all that it has are answered.
    func retire() {
        inbox.withLock { $0.retiring = true }
        notifier.notify()
    }

    /// Breaks this connection and makes another one: the address may lead to another server by now.
    func reconnect() {
        wantsNewConnection.store(true, ordering: .releasing)
        notifier.notify()
    }

    var health: RedisNodeHealth {
        var health = published.withLock { $0 }
        health.inFlight = outstanding.load(ordering: .relaxed)
        return health
    }

    // MARK: The thread

    /// Moves what callers brought into `batch`, which comes empty and keeps its storage. Returns whether to end.
    func take(into batch: inout [Submission]) -> Bool {
        inbox.withLock { inbox in
            inbox.parked = false
            swap(&inbox.submissions, &batch)
            return inbox.closing || (inbox.retiring && batch.isEmpty && outstanding.load(ordering: .relaxed) == 0)
        }
    }

    /// Whether `reconnect` was called since the last time.
    func takeReconnection() -> Bool {
        wantsNewConnection.load(ordering: .relaxed) && wantsNewConnection.exchange(false, ordering: .acquiring)
    }

    /// Announces sleep. False when work is there already: then do not sleep. (Closing and retiring notify in any case.)
    func park() -> Bool {
        inbox.withLock { inbox in
            guard inbox.submissions.isEmpty else { return false }
            inbox.parked = true
            return true
        }
    }

    func ended(bytes: Int) {
        outstanding.subtract(1, ordering: .relaxed)
        outstandingBytes.subtract(bytes, ordering: .relaxed)
    }

    func publish(_ health: RedisNodeHealth) {
        published.withLock { $0 = health }
    }
}
