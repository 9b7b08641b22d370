extension RedisCluster {
    /// Compiles a script on every master that answers, and learns its hash.
    ///
    /// - Throws: when no master took it, for instance for an error in the script; the first error.
    public func load(_ script: RedisScript) async throws(RedisError) -> LoadedScript {
        var failure: RedisError?
        var sha: String?
        for (address, result) in await onEachMaster(
            RedisCommand("SCRIPT", "LOAD", script.source), deadline: .now + options.connectTimeout * 2)
        {
            switch result {
            case .success(let reply):
                guard let text = reply.string, sha == nil || sha == text else {
                    throw RedisError(
                        .refused, .protocolError,
                        "\(address): SCRIPT LOAD of \(script.name) gave no hash, or another one")
                }
                sha = text
            case .failure(let error):
                if failure == nil || failure!.outcome != .refused {
                    failure = RedisError(
                        error.outcome, error.kind, "script \(script.name): \(error.message)",
                        serverText: error.serverText)
                }
            }
        }
        if let sha { return LoadedScript(script, sha: sha) }
        throw failure ?? RedisError(.notSent, .slotUncovered, "script \(script.name): no master is known to load it")
    }

    /// Runs a script on the master of `slot`. A server that forgot it gets the source, once, and knows it again.
    ///
    /// - Parameter call: keys, all of `slot`, and arguments.
    public func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant,
        completion: @escaping Completion
    ) {
        send(
            slot: slot, command: RedisCommand(prefix: script.bySHA, arguments: call.arguments), deadline: deadline
        ) { [self] result in
            guard case .failure(let error) = result, error.kind == .noScript else { return completion(result) }
            send(
                slot: slot, command: RedisCommand(prefix: script.bySource, arguments: call.arguments),
                deadline: deadline, completion: completion)
        }
    }
}
