import Inventory
import Redis
import Synchronization

/// Redis as one simulated process reaches it: a connection to each node, in order, with everything that a network can do to it.
///
/// A broken connection leaves what it carried unknown: the requests that had not arrived are lost, or arrive later, even much
/// later, after what a new connection carried. That is how an old call comes to run twice or late.
final class SimulatedRedis: RedisPort {
    private struct Call {
        let node: Int
        let generation: Int
        let deadline: SimulationExecutor.TimerID
        let completion: Completion
    }

    /// What becomes of requests that were on their way when their connection broke.
    private enum Fate {
        case lost
        case late(Duration)
    }

    private struct Waiting {
        let id: UInt64
        let words: [[UInt8]]
        let deadline: SimulationExecutor.TimerID
        let completion: Completion
    }

    private struct Connection {
        var generation = 0
        var isUp = true
        var fates: [Int: Fate] = [:]
        var lastArrival: ContinuousClock.Instant
        var lastReply: ContinuousClock.Instant
        /// Nothing gets through to the server, or back, before this.
        var outHeldUntil: ContinuousClock.Instant
        var backHeldUntil: ContinuousClock.Instant
        /// A replica answers in the master's place before this.
        var misroutedUntil: ContinuousClock.Instant
        var waiting: [Waiting] = []
    }

    private struct State {
        var connections: [Connection]
        var calls: [UInt64: Call] = [:]
        var nextID: UInt64 = 0
        var sources: [String: String] = [:]
    }

    private let life: ProcessLife
    private let nodes: [SimulatedNode]
    private let sky: Sky
    private let alter: @Sendable (_ name: String, _ source: String) -> String
    private let state: Mutex<State>

    /// - Parameter alter: the text of a script in place of the true one: a planted bug.
    init(
        life: ProcessLife, nodes: [SimulatedNode], sky: Sky,
        alter: @escaping @Sendable (_ name: String, _ source: String) -> String = { $1 }
    ) {
        self.alter = alter
        self.life = life
        self.nodes = nodes
        self.sky = sky
        let start = life.executor.start
        let fresh = Connection(
            lastArrival: start, lastReply: start, outHeldUntil: start, backHeldUntil: start, misroutedUntil: start)
        state = Mutex(State(connections: Array(repeating: fresh, count: nodes.count)))
        life.onDeath { [weak self] in self?.end() }
    }

    private var executor: SimulationExecutor { life.executor }
    private var milliseconds: UInt64 { executor.unixMilliseconds }

    // MARK: The port

    var isCluster: Bool { nodes.count > 1 }
    var status: [RedisNodeStatus] { [] }

    func master(ofSlot slot: Int) -> RedisAddress? { nodes[node(ofSlot: slot)].address }

    private func node(ofSlot slot: Int) -> Int { slot * nodes.count / HashSlot.count }

    func send(
        slot: Int, command: RedisCommand, deadline: ContinuousClock.Instant, completion: @escaping Completion
    ) {
        submit(command.words, to: node(ofSlot: slot), deadline: deadline, completion: completion)
    }

    func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant,
        completion: @escaping Completion
    ) {
        let node = node(ofSlot: slot)
        let words = call.words
        submit([Array("EVALSHA".utf8), Array(script.sha.utf8)] + words, to: node, deadline: deadline) { [self] result in
            guard case .failure(let error) = result, error.kind == .noScript,
                let source = state.withLock({ $0.sources[script.sha] })
            else { return completion(result) }
            submit(
                [Array("EVAL".utf8), Array(source.utf8)] + words, to: node, deadline: deadline, completion: completion)
        }
    }

    func load(_ script: RedisScript) async throws(RedisError) -> LoadedScript {
        let script = RedisScript(name: script.name, source: alter(script.name, script.source))
        var sha: String?
        var failure: RedisError?
        for (_, result) in await onEachMaster(
            RedisCommand("SCRIPT", "LOAD", script.source), deadline: executor.now + .seconds(2))
        {
            switch result {
            case .success(let reply): sha = reply.string ?? sha
            case .failure(let error): failure = error
            }
        }
        guard let sha else { throw failure ?? RedisError(.notSent, .other, "no simulated node took the script") }
        state.withLock { [sha] in $0.sources[sha] = script.source }
        return LoadedScript(script, sha: sha)
    }

    func onEachMaster(
        _ command: RedisCommand, deadline: ContinuousClock.Instant
    ) async -> [(address: RedisAddress, result: Result<RedisReply, RedisError>)] {
        var results: [(address: RedisAddress, result: Result<RedisReply, RedisError>)] = []
        for node in nodes {
            let result = await withCheckedContinuation { continuation in
                submit(command.words, to: node.number, deadline: deadline) { continuation.resume(returning: $0) }
            }
            results.append((node.address, result))
        }
        return results
    }

    func close() { end() }

    // MARK: A call's way

    private func submit(
        _ words: [[UInt8]], to node: Int, deadline: ContinuousClock.Instant, completion: @escaping Completion
    ) {
        guard life.step() else {
            executor.schedule(at: executor.now) {
                completion(.failure(RedisError(.notSent, .closed, "the process is dead")))
            }
            return
        }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let timer = life.deliver(at: deadline) { [self] in deadlinePassed(id, node) }
        let call = Waiting(id: id, words: words, deadline: timer, completion: completion)
        let isUp = state.withLock { state in
            if !state.connections[node].isUp { state.connections[node].waiting.append(call) }
            return state.connections[node].isUp
        }
        if isUp { dispatch(call, to: node) }
    }

    private func dispatch(_ call: Waiting, to node: Int) {
        let leaves = life.earliest(executor.now)
        let delay = sky.linkDelay()
        let (generation, arrival) = state.withLock { state in
            let generation = state.connections[node].generation
            state.calls[call.id] = Call(
                node: node, generation: generation, deadline: call.deadline, completion: call.completion)
            let arrival = max(leaves + delay, state.connections[node].lastArrival + .nanoseconds(1))
            state.connections[node].lastArrival = arrival
            return (generation, arrival)
        }
        executor.schedule(at: arrival) { [self] in arrive(call.id, call.words, node, generation, isLate: false) }
    }

    /// The request reaches the server, whatever has become of its sender.
    private func arrive(_ id: UInt64, _ words: [[UInt8]], _ node: Int, _ generation: Int, isLate: Bool) {
        let now = executor.now
        let (fate, heldUntil, isMisrouted) = state.withLock { state in
            let connection = state.connections[node]
            return (
                connection.fates[generation],
                connection.generation == generation ? connection.outHeldUntil : now,
                connection.misroutedUntil > now
            )
        }
        if !isLate {
            switch fate {
            case .lost: return
            case .late(let by):
                sky.noteLate(until: now + by)
                executor.schedule(at: now + by) { [self] in arrive(id, words, node, generation, isLate: true) }
                return
            case nil: break
            }
            if heldUntil > now {
                executor.schedule(at: heldUntil) { [self] in arrive(id, words, node, generation, isLate: false) }
                return
            }
        }
        let server = nodes[node]
        let result =
            isMisrouted
            ? server.executeOnReplica(words, atMilliseconds: milliseconds)
            : server.execute(words, atMilliseconds: milliseconds)
        guard let result else { return connectionLost(node, generation: generation) }
        let delay = sky.linkDelay()
        let back = state.withLock { state in
            let back = max(
                now + delay, state.connections[node].lastReply + .nanoseconds(1),
                state.connections[node].backHeldUntil)
            state.connections[node].lastReply = back
            return back
        }
        life.deliver(at: back) { [self] in
            guard let call = state.withLock({ $0.calls.removeValue(forKey: id) }) else { return }
            executor.cancel(call.deadline)
            call.completion(result)
        }
    }

    private func deadlinePassed(_ id: UInt64, _ node: Int) {
        let (call, waiting) = state.withLock { state in
            let call = state.calls.removeValue(forKey: id)
            var waiting: Waiting?
            if let position = state.connections[node].waiting.firstIndex(where: { $0.id == id }) {
                waiting = state.connections[node].waiting.remove(at: position)
            }
            return (call, waiting)
        }
        if let waiting {
            waiting.completion(
                .failure(RedisError(.notSent, .deadline, "\(nodes[node].address) could not be reached in time")))
        }
        guard let call else { return }
        // An answer that is missing says nothing of those behind it: the connection is given up.
        connectionLost(node, generation: call.generation)
        call.completion(.failure(RedisError(.unknown, .deadline, "\(nodes[node].address) did not answer in time")))
    }

    // MARK: Connections

    /// Breaks the connection to a node. What was on its way is lost or late.
    func cut(_ node: Int) {
        let generation = state.withLock { $0.connections[node].generation }
        connectionLost(node, generation: generation)
    }

    /// Lets nothing through for a while: one way, the other, or both. The sender learns it from its deadlines.
    func blackHole(_ node: Int, out: Duration, back: Duration) {
        let now = executor.now
        state.withLock { state in
            state.connections[node].outHeldUntil = now + out
            state.connections[node].backHeldUntil = now + back
        }
    }

    /// A replica answers in the place of its master for a while.
    func misroute(_ node: Int, for duration: Duration) {
        state.withLock { $0.connections[node].misroutedUntil = executor.now + duration }
    }

    func heal() {
        let now = executor.now
        state.withLock { state in
            for node in state.connections.indices {
                state.connections[node].outHeldUntil = now
                state.connections[node].backHeldUntil = now
                state.connections[node].misroutedUntil = now
            }
        }
    }

    private func connectionLost(_ node: Int, generation: Int) {
        guard state.withLock({ $0.connections[node].generation == generation }) else { return }
        let fate: Fate =
            sky.coin(0.5)
            ? .lost
            : sky.coin(0.5) ? .late(sky.duration(.zero, .milliseconds(50))) : .late(sky.duration(.zero, .seconds(3)))
        let broken = state.withLock { state in
            state.connections[node].fates[generation] = fate
            state.connections[node].generation += 1
            state.connections[node].isUp = false
            let broken = state.calls.filter { $0.value.node == node && $0.value.generation == generation }
                .sorted { $0.key < $1.key }
            for (id, _) in broken { state.calls[id] = nil }
            return broken.map(\.value)
        }
        let address = nodes[node].address
        // The process hears of it at its own pace.
        life.deliver(at: executor.now + sky.linkDelay()) {
            for call in broken {
                call.completion(.failure(RedisError(.unknown, .connectionLost, "the connection to \(address) broke")))
            }
        }
        reconnect(node, after: sky.duration(.milliseconds(1), .milliseconds(20)))
    }

    private func reconnect(_ node: Int, after pause: Duration) {
        life.deliver(at: executor.now + pause) { [self] in
            guard life.isAlive else { return }
            let now = executor.now
            let isReachable =
                nodes[node].isUp
                && state.withLock {
                    $0.connections[node].outHeldUntil <= now && $0.connections[node].backHeldUntil <= now
                }
            guard isReachable else { return reconnect(node, after: .milliseconds(50)) }
            let waiting = state.withLock { state in
                state.connections[node].isUp = true
                defer { state.connections[node].waiting = [] }
                return state.connections[node].waiting
            }
            for call in waiting { dispatch(call, to: node) }
        }
    }

    /// The process dies: nobody hears any more. What has left it may still arrive.
    private func end() {
        let fate: Fate = sky.coin(0.5) ? .lost : .late(sky.duration(.zero, .milliseconds(200)))
        let completions = state.withLock { state in
            for node in state.connections.indices {
                state.connections[node].fates[state.connections[node].generation] = fate
                state.connections[node].generation += 1
                state.connections[node].isUp = false
            }
            let calls = state.calls.sorted { $0.key < $1.key }.map(\.value.completion)
            let waiting = state.connections.flatMap(\.waiting).map(\.completion)
            state.calls = [:]
            for node in state.connections.indices { state.connections[node].waiting = [] }
            return calls + waiting
        }
        executor.schedule(at: executor.now) {
            for completion in completions {
                completion(.failure(RedisError(.unknown, .closed, "the process died")))
            }
        }
    }
}

extension SimulationExecutor {
    /// Unix milliseconds of the world's own clock.
    var unixMilliseconds: UInt64 {
        Self.startUnixMilliseconds + UInt64(elapsedMicroseconds / 1_000)
    }
}
