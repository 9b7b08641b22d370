import Host
import Synchronization

/// How one master does, and what it serves.
public struct RedisNodeStatus: Sendable {
    public let address: RedisAddress
    /// Slots in ascending ranges.
    public let slotRanges: [ClosedRange<Int>]
    public let slotCount: Int
    public let health: RedisNodeHealth

    public var isUp: Bool { health.isUp }
    public var since: ContinuousClock.Instant { health.since }
    public var lastError: String? { health.lastError }
    public var calls: UInt64 { health.calls }
    public var errors: UInt64 { health.errors }
    public var inFlight: Int { health.inFlight }
    public var callsPerSecond: Double { health.callsPerSecond }
    public var p50: Duration { health.p50 }
    public var p99: Duration { health.p99 }
    public var bytesOut: UInt64 { health.bytesOut }
    public var bytesIn: UInt64 { health.bytesIn }
}

extension RedisCluster {
    /// Every master of the slot map, in the order of its first slot.
    public var status: [RedisNodeStatus] {
        var ranges: [(connection: RedisConnection, ranges: [ClosedRange<Int>])] = []
        let owners = topology.withLock { $0.owners }
        var positions: [RedisAddress: Int] = [:]
        var start = 0
        while start < owners.count {
            var end = start
            while end + 1 < owners.count, owners[end + 1] === owners[start] { end += 1 }
            if let owner = owners[start] {
                if let position = positions[owner.address] {
                    ranges[position].ranges.append(start...end)
                } else {
                    positions[owner.address] = ranges.count
                    ranges.append((owner, [start...end]))
                }
            }
            start = end + 1
        }
        return ranges.map {
            RedisNodeStatus(
                address: $0.connection.address, slotRanges: $0.ranges,
                slotCount: $0.ranges.reduce(0) { $0 + $1.count }, health: $0.connection.health)
        }
    }

    /// A replica answered for `slot`: looks for its master. A cluster's slot map is read again; a single server's address is
    /// connected to anew, at most once in `backoffMax`, as it may lead to another server by now (a name, a virtual address, a
    /// proxy). What was under way there is unknown then.
    public func reroute(slot: Int) {
        guard !isCluster else { return watcher.request() }
        topology.withLock { $0.owners[slot] }?.core.reconnect()
    }

    /// The connection to a node, made if it is new.
    func connection(to address: RedisAddress) throws(RedisError) -> RedisConnection {
        if let known = topology.withLock({ $0.connections[address] }) { return known }
        let url = RedisURL(address: address, user: url.user, password: url.password)
        let made = try RedisConnection(url: url, options: options) { [watcher] isUp in
            if !isUp { watcher.request() }
        }
        // Another thread may have made one meanwhile: the first wins, the other is released unused.
        return topology.withLock { topology in
            if let known = topology.connections[address] { return known }
            if topology.closed { made.close() }
            topology.connections[address] = made
            return made
        }
    }

    func moveSlot(_ slot: Int, to address: RedisAddress) throws(RedisError) {
        let connection = try connection(to: address)
        topology.withLock { $0.owners[slot] = connection }
    }

    /// Makes `map` the truth. Connections that it no longer names answer what they have and end.
    func adopt(_ map: SlotMap) throws(RedisError) {
        var owners = [RedisConnection?](repeating: nil, count: HashSlot.count)
        var named: Set<RedisAddress> = []
        for assignment in map.assignments {
            let connection = try connection(to: assignment.master)
            named.insert(assignment.master)
            for slot in assignment.slots { owners[slot] = connection }
        }
        let retired = topology.withLock { topology in
            topology.owners = owners
            let retired = topology.connections.filter { !named.contains($0.key) }
            for address in retired.keys { topology.connections[address] = nil }
            let waiting = topology.waitingConnections.filter { !named.contains($0.key) }
            for address in waiting.keys { topology.waitingConnections[address] = nil }
            return Array(retired.values) + Array(waiting.values)
        }
        for connection in retired { connection.core.retire() }
    }

    // MARK: Keeping the slot map true

    /// Reads the slot map when something asks for it, and each second while a node is down.
    func startWatching() throws(RedisError) {
        guard isCluster else { return }
        let watcher = watcher
        do {
            // The thread holds the cluster only while it works, so that releasing the cluster ends the thread.
            let reference = WeakCluster(self)
            try OSThread.start(name: "redis-slots") {
                var nodeIsDown = true
                while watcher.waitForRequest(timeoutMilliseconds: nodeIsDown ? 1000 : nil) {
                    guard let cluster = reference.cluster else { return }
                    cluster.refresh()
                    nodeIsDown = cluster.masterConnections().contains { !$0.health.isUp }
                }
            }
        } catch {
            throw RedisError(.notSent, .other, error.message)
        }
    }

    /// Asks the live nodes, one after the other, until one tells the slots. Runs on the watcher's thread.
    private func refresh() {
        var candidates = topology.withLock { Array($0.connections.values) }.filter(\.health.isUp)
        // With every known master gone, the address that was given is what is left to ask.
        if candidates.isEmpty, let seed = try? connection(to: url.address) { candidates = [seed] }
        for candidate in candidates {
            guard let reply = watcher.ask(candidate, RedisCommand("CLUSTER", "SLOTS"), within: .milliseconds(500)),
                let map = SlotMap(reply: reply, asked: candidate.address), !map.assignments.isEmpty
            else { continue }
            // A node for which no thread can be had leaves the map as it is; the next refresh tries again.
            try? adopt(map)
            return
        }
    }
}

private struct WeakCluster: Sendable {
    weak let cluster: RedisCluster?
    init(_ cluster: RedisCluster) { self.cluster = cluster }
}

/// Requests for a new slot map, and the waiting of the one thread that answers them.
final class TopologyWatcher: Sendable {
    /// Requests within this time of a refresh wait for its end: a burst of MOVED reads the map once, not a thousand times.
    private static let pauseMilliseconds: Int32 = 50

    private struct State {
        var requested = false
        var closed = false
    }

    private let state = Mutex(State())
    private let requests: EventNotifier
    private let ending: EventNotifier
    private let answers: EventNotifier
    private let answer = Mutex<RedisReply?>(nil)

    init() throws(HostError) {
        requests = try EventNotifier()
        ending = try EventNotifier()
        answers = try EventNotifier()
    }

    func request() {
        let first = state.withLock { state in
            defer { state.requested = true }
            return !state.requested
        }
        if first { requests.notify() }
    }

    func close() {
        state.withLock { $0.closed = true }
        requests.notify()
        ending.notify()
    }

    /// Blocks until a request or the timeout; false once closed.
    func waitForRequest(timeoutMilliseconds: Int32?) -> Bool {
        ending.wait(timeoutMilliseconds: Self.pauseMilliseconds)
        if state.withLock({ $0.closed }) { return false }
        requests.wait(timeoutMilliseconds: timeoutMilliseconds)
        return state.withLock { state in
            state.requested = false
            return !state.closed
        }
    }

    /// A call that blocks this thread; `nil` for an error or no answer in time. Only the watcher's thread may ask.
    func ask(_ connection: RedisConnection, _ command: RedisCommand, within: Duration) -> RedisReply? {
        answer.withLock { $0 = nil }
        connection.send(command, deadline: .now + within) { [self] result in
            answer.withLock { $0 = try? result.get() }
            answers.notify()
        }
        answers.wait()
        return answer.withLock { $0 }
    }
}
