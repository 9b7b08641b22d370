import Synchronization

/// Scripts whose writes replicas must have: the script and WAIT travel as one, on a connection of their own.
///
/// WAIT counts for the writes of its own connection, and the connection serves nothing else until it is answered; so drains,
/// cuts and probes go another way. The two commands leave together or not at all: WAIT on a connection that was made anew
/// would count replicas for writes that it never made.
extension RedisCluster {
    public func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, replicas: Int, within: Duration,
        deadline: ContinuousClock.Instant,
        completion: @escaping @Sendable (Result<ReplicatedReply, RedisError>) -> Void
    ) {
        let wait = Wait(command: .wait(replicas: replicas, within: within)) { completion(.success($0)) }
        @Sendable func send(_ prefix: EncodedArguments, failed: @escaping Completion) {
            dispatch(
                Attempt(
                    slot: slot, command: RedisCommand(prefix: prefix, arguments: call.arguments), deadline: deadline,
                    wait: wait, completion: failed), to: nil, asking: false, redirects: 0)
        }
        // An attempt with a wait calls its completion for failures only.
        let fail: Completion = { if case .failure(let error) = $0 { completion(.failure(error)) } }
        send(script.bySHA) { result in
            guard case .failure(let error) = result, error.kind == .noScript else { return fail(result) }
            send(script.bySource, failed: fail)
        }
    }

    func dispatchWaiting(_ attempt: Attempt, at address: RedisAddress, _ asking: Bool, _ redirects: Int) {
        guard let wait = attempt.wait else { return }
        let connection: RedisConnection
        do throws(RedisError) { connection = try waitingConnection(to: address) } catch {
            return attempt.completion(.failure(error))
        }
        // Both end on one thread, the script first.
        let box = AnswerBox()
        let tail = ConnectionCore.Submission.Tail(command: wait.command) { [self] acknowledged in
            switch box.take() {
            case .success(let reply)?:
                let count = (try? acknowledged.get())?.int ?? 0
                wait.completion(ReplicatedReply(reply: reply, replicas: Int(count)))
            case .failure(let error)?: failed(attempt, error, at: address, redirects: redirects)
            case nil: preconditionFailure("WAIT ended before its script")
            }
        }
        connection.core.submit(
            .init(command: attempt.command, tail: tail, asking: asking, deadline: attempt.deadline) { box.put($0) })
    }

    private func waitingConnection(to address: RedisAddress) throws(RedisError) -> RedisConnection {
        if let known = topology.withLock({ $0.waitingConnections[address] }) { return known }
        let made = try RedisConnection(
            url: RedisURL(address: address, user: url.user, password: url.password), options: options
        ) { [watcher] isUp in
            if !isUp { watcher.request() }
        }
        return topology.withLock { topology in
            if let known = topology.waitingConnections[address] { return known }
            if topology.closed { made.close() }
            topology.waitingConnections[address] = made
            return made
        }
    }
}

/// A script's answer, kept until its WAIT is answered.
private final class AnswerBox: Sendable {
    private let answer = Mutex<Result<RedisReply, RedisError>?>(nil)
    func put(_ result: Result<RedisReply, RedisError>) { answer.withLock { $0 = result } }
    func take() -> Result<RedisReply, RedisError>? { answer.withLock { $0 } }
}
