import Glibc
import Host
public import Redis
import Synchronization

/// A proxy on loopback between clients and one Redis server, which sees every request and every reply and may withhold them:
/// faults on the wire, with no hook in what is tested.
///
/// It hands bytes on unchanged, two threads a connection. `Hooks` decide message by message; `setFaults` and `retarget` change a
/// wire that is in use. A replica's connection is passed on too, as a stream of bytes once it copies. Sibling:
/// `EmbeddedFleet.crash` harms the server itself. A cluster's nodes tell their own addresses, and clients pass a proxy by unless
/// the nodes announce it, as those of a proxied `EmbeddedFleet` do.
public final class WireProxy: Sendable {
    /// One request, as the client sent it.
    public struct Request: Sendable {
        /// The client's connection, from 1.
        public let connection: Int
        /// Its number on that connection, from 1.
        public let number: Int
        /// Name and arguments, at most the first `argumentsMax`.
        public let arguments: [[UInt8]]

        public static let argumentsMax = 4

        /// An argument as text; empty where there is none.
        public func text(_ position: Int) -> String {
            position < arguments.count ? String(decoding: arguments[position], as: UTF8.self) : ""
        }
    }

    public enum Verdict: Sendable {
        case pass
        /// This message and all that follow in its direction of this connection vanish, as on a line that went dead.
        case silence
        /// The connection ends at once, this message unsent.
        case cut
    }

    /// What is asked and told about every message, on the connection's threads: it may block them, and nothing else.
    public struct Hooks: Sendable {
        /// Before a request goes to the server.
        public var onRequest: @Sendable (Request) -> Verdict = { _ in .pass }
        /// Once the last byte of a request was handed to the system.
        public var onSent: @Sendable (Request) -> Void = { _ in }
        /// Before a reply goes to the client, with the request that it answers.
        public var onReply: @Sendable (Request, ArraySlice<UInt8>) -> Verdict = { _, _ in .pass }
        public init() {}
    }

    /// Where clients connect.
    public let address: RedisAddress
    private let hooks: Hooks
    private let listener: Int32
    private let state: Mutex<State>
    private let dropped = Atomic<Int>(0)

    private struct State {
        var target: RedisAddress
        var connections: [Int: WireConnection] = [:]
        var count = 0
        var closed = false
        var faults: [WireAudience: WireFaults] = [:]
        var lostReplies: LostReplies?
    }

    /// Replies that are still to be lost.
    private struct LostReplies {
        var count: Int
        let among: @Sendable (Request) -> Bool
    }

    /// Listens on a free loopback port and connects each client to `target`.
    ///
    /// - Throws: `FleetError` when there is no port, descriptor or thread.
    public init(to target: RedisAddress, hooks: Hooks = Hooks()) throws(FleetError) {
        state = Mutex(State(target: target))
        self.hooks = hooks
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Self.failure("no socket to listen on") }
        var name = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        guard Self.with(&name, { bind(descriptor, $0, length) }) == 0, listen(descriptor, 128) == 0,
            withUnsafeMutablePointer(
                to: &name,
                { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) } }) == 0
        else {
            let error = Self.failure("no port to listen on")
            Glibc.close(descriptor)
            throw error
        }
        listener = descriptor
        address = RedisAddress(host: "127.0.0.1", port: Int(UInt16(bigEndian: name.sin_port)))
        // The thread holds the proxy until `close`.
        do {
            try OSThread.start(name: "proxy:accept") { self.acceptClients() }
        } catch {
            Glibc.close(descriptor)
            throw FleetError(.misuse, "proxy before \(target): \(error.message)")
        }
    }

    /// Ends every connection and stops listening. Idempotent.
    public func close() {
        let (wasOpen, connections) = state.withLock { state in
            defer { state.closed = true }
            return (!state.closed, Array(state.connections.values))
        }
        for connection in connections { connection.end() }
        // Wakes the thread that accepts; it closes the descriptor.
        if wasOpen { shutdown(listener, Int32(SHUT_RDWR)) }
    }

    /// Ends every connection there is; new ones are taken.
    public func cutAll() {
        for connection in state.withLock({ Array($0.connections.values) }) { connection.end() }
    }

    /// The server behind it.
    public var target: RedisAddress { state.withLock { $0.target } }

    /// Puts another server behind it.
    ///
    /// - Parameter cutting: whether connections to the former one end; else they go on there, as those of a client that has not
    ///   heard of the change.
    public func retarget(to target: RedisAddress, cutting: Bool = true) {
        let connections = state.withLock { state in
            state.target = target
            return Array(state.connections.values)
        }
        guard cutting else { return }
        for connection in connections { connection.end() }
    }

    // MARK: Faults

    /// Sets what the wire does to an audience from now on; `.none` lifts it again, and cuts connections that had dropped bytes.
    public func setFaults(_ faults: WireFaults, for audience: WireAudience = .everyone) {
        let connections = state.withLock { state in
            state.faults[audience] = faults == .none ? nil : faults
            return Array(state.connections.values)
        }
        for connection in connections { connection.endIfBroken() }
    }

    /// Lifts all faults, for everyone.
    public func heal() {
        let connections = state.withLock { state in
            state.faults = [:]
            state.lostReplies = nil
            return Array(state.connections.values)
        }
        for connection in connections { connection.endIfBroken() }
    }

    /// The next `count` replies to requests like these are lost after the server executed them: the connection ends in their
    /// place, and whatever else was under way on it is lost too.
    public func loseReplies(_ count: Int, to among: @escaping @Sendable (Request) -> Bool = { _ in true }) {
        state.withLock { $0.lostReplies = LostReplies(count: count, among: among) }
    }

    /// How many replies are still to be lost.
    public var repliesToLose: Int { state.withLock { $0.lostReplies?.count ?? 0 } }

    /// Bytes that vanished so far: whether a dead wire had anything to drop.
    public var droppedBytes: Int { dropped.load(ordering: .relaxed) }

    private func faults(for audience: WireAudience) -> WireFaults {
        state.withLock { $0.faults[audience] ?? $0.faults[.everyone] ?? .none }
    }

    private func losesReply(to request: Request) -> Bool {
        guard let among = state.withLock({ $0.lostReplies?.among }), among(request) else { return false }
        return state.withLock { state in
            guard let left = state.lostReplies?.count, left > 0 else { return false }
            state.lostReplies?.count = left - 1
            if left == 1 { state.lostReplies = nil }
            return true
        }
    }

    // MARK: Connections

    private func acceptClients() {
        defer { Glibc.close(listener) }
        let rules = WireConnection.Rules(
            hooks: hooks, faults: { self.faults(for: $0) }, losesReply: { self.losesReply(to: $0) },
            dropped: { self.dropped.add($0, ordering: .relaxed) })
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return
            }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            let target = target
            guard !faults(for: .clients).refusesConnections, let server = Self.connect(to: target) else {
                Glibc.close(client)
                continue
            }
            let (connection, isClosed) = state.withLock { state -> (WireConnection?, Bool) in
                // The target may have changed while this one connected.
                guard !state.closed, state.target == target else { return (nil, state.closed) }
                state.count += 1
                let connection = WireConnection(number: state.count, client: client, server: server, rules: rules)
                state.connections[state.count] = connection
                return (connection, false)
            }
            guard let connection else {
                Glibc.close(client)
                Glibc.close(server)
                if isClosed { return }
                continue
            }
            start(connection)
        }
    }

    private func start(_ connection: WireConnection) {
        let leave: @Sendable () -> Void = { [self] in
            connection.end()
            if connection.leave() { _ = state.withLock { $0.connections.removeValue(forKey: connection.number) } }
        }
        for body in [
            { @Sendable in connection.carryRequests() }, { @Sendable in connection.carryReplies() },
        ] {
            let started: Void? = try? OSThread.start(name: "proxy:\(connection.number)", stackBytes: 256 << 10) {
                body()
                leave()
            }
            if started == nil { leave() }
        }
    }

    private static func connect(to target: RedisAddress) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var name = loopback(port: UInt16(target.port))
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        guard with(&name, { Glibc.connect(descriptor, $0, length) }) == 0 else {
            Glibc.close(descriptor)
            return nil
        }
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        return descriptor
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return name
    }

    private static func with(_ name: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>) -> Int32) -> Int32 {
        withUnsafePointer(to: &name) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
    }

    private static func failure(_ what: String) -> FleetError {
        FleetError(.noFreePort, "the proxy has \(what): \(String(cString: strerror(errno)))")
    }
}
