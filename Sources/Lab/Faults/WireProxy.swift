import Glibc
import Host
public import Redis
import Synchronization

/// A proxy on loopback between a client and one Redis server, which sees every request and every reply and may withhold them:
/// faults on the wire, with no hook in what is tested.
///
/// It hands bytes on unchanged, two threads a connection. Sibling: `EmbeddedFleet.crash` harms the server itself. For a single
/// server: a cluster's nodes tell their own addresses, and clients would pass it by.
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
    private let target: RedisAddress
    private let hooks: Hooks
    private let listener: Int32
    private let state = Mutex(State())

    private struct State {
        var connections: [Int: Connection] = [:]
        var count = 0
        var closed = false
    }

    /// Listens on a free loopback port and connects each client to `target`.
    ///
    /// - Throws: `FleetError` when there is no port, descriptor or thread.
    public init(to target: RedisAddress, hooks: Hooks = Hooks()) throws(FleetError) {
        self.target = target
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

    // MARK: Connections

    private func acceptClients() {
        defer { Glibc.close(listener) }
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return
            }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            guard let server = connectToTarget() else {
                Glibc.close(client)
                continue
            }
            let connection = state.withLock { state -> Connection? in
                guard !state.closed else { return nil }
                state.count += 1
                let connection = Connection(number: state.count, client: client, server: server)
                state.connections[state.count] = connection
                return connection
            }
            guard let connection else {
                Glibc.close(client)
                Glibc.close(server)
                return
            }
            start(connection)
        }
    }

    private func start(_ connection: Connection) {
        let leave: @Sendable () -> Void = { [self] in
            connection.end()
            if connection.leave() { _ = state.withLock { $0.connections.removeValue(forKey: connection.number) } }
        }
        for body in [
            { @Sendable [hooks] in connection.carryRequests(hooks) },
            { @Sendable [hooks] in connection.carryReplies(hooks) },
        ] {
            let started: Void? = try? OSThread.start(name: "proxy:\(connection.number)", stackBytes: 256 << 10) {
                body()
                leave()
            }
            if started == nil { leave() }
        }
    }

    private func connectToTarget() -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var name = Self.loopback(port: UInt16(target.port))
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        guard Self.with(&name, { connect(descriptor, $0, length) }) == 0 else {
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

/// A client, its server, and the requests between them that have no reply yet.
private final class Connection: Sendable {
    let number: Int
    private let client: Int32
    private let server: Int32
    private let state = Mutex(State())

    private struct State {
        /// Sent and not answered, oldest first: replies come in the order of requests.
        var waiting: [WireProxy.Request] = []
        var threads = 2
    }

    init(number: Int, client: Int32, server: Int32) {
        self.number = number
        self.client = client
        self.server = server
        var yes: Int32 = 1
        setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit {
        close(client)
        close(server)
    }

    /// Wakes both threads; the descriptors are closed when nobody uses them any more.
    func end() {
        shutdown(client, Int32(SHUT_RDWR))
        shutdown(server, Int32(SHUT_RDWR))
    }

    /// A thread leaves. Returns whether it was the last.
    func leave() -> Bool {
        state.withLock { state in
            state.threads -= 1
            return state.threads == 0
        }
    }

    func carryRequests(_ hooks: WireProxy.Hooks) {
        var count = 0
        carry(from: client) { message in
            count += 1
            let request = WireProxy.Request(
                connection: number, number: count,
                arguments: WireFraming.arguments(of: message).prefix(WireProxy.Request.argumentsMax).map { Array($0) })
            let verdict = hooks.onRequest(request)
            guard verdict == .pass else { return verdict }
            // Before it is sent: its reply may be there before this thread goes on.
            state.withLock { $0.waiting.append(request) }
            guard Self.send(message, to: server) else { return .cut }
            hooks.onSent(request)
            return .pass
        }
    }

    func carryReplies(_ hooks: WireProxy.Hooks) {
        carry(from: server) { message in
            guard let request = state.withLock({ $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }) else {
                return .cut
            }
            let verdict = hooks.onReply(request, message)
            guard verdict == .pass else { return verdict }
            return Self.send(message, to: client) ? .pass : .cut
        }
    }

    /// Reads one direction to its end, message by message.
    private func carry(from source: Int32, _ message: (ArraySlice<UInt8>) -> WireProxy.Verdict) {
        var framing = WireFraming()
        var isSilent = false
        withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
            while true {
                let count = read(source, buffer.baseAddress!, buffer.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                guard !isSilent else { continue }
                framing.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                do throws(WireFraming.Broken) {
                    while !isSilent, let whole = try framing.next() {
                        switch message(whole) {
                        case .pass: break
                        case .silence: isSilent = true
                        case .cut: return
                        }
                    }
                } catch {
                    return
                }
            }
        }
    }

    private static func send(_ message: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
        message.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                // No signal when the other end is gone.
                let count = Glibc.send(
                    descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }
}
