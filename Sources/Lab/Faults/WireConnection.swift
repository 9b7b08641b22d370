import Glibc
import Host
import Synchronization

/// A client, its server, and the requests between them that have no reply yet.
final class WireConnection: Sendable {
    /// What the proxy decides about a connection.
    struct Rules: Sendable {
        let hooks: WireProxy.Hooks
        /// The faults that hold now for an audience.
        let faults: @Sendable (WireAudience) -> WireFaults
        /// Whether this reply is one of those that get lost.
        let losesReply: @Sendable (WireProxy.Request) -> Bool
        /// Told of bytes that vanished.
        let dropped: @Sendable (Int) -> Void
    }

    let number: Int
    private let client: Int32
    private let server: Int32
    private let rules: Rules
    private let state = Mutex(State())

    fileprivate struct State {
        /// Sent and not answered, oldest first: replies come in the order of requests.
        var waiting: [WireProxy.Request] = []
        var threads = 2
        /// Who connected, as far as it said.
        var audience = WireAudience.clients
        /// A replication link that began to stream: no more requests and replies.
        var isStream = false
        /// Directions that dropped something.
        var silenced: Set<WireDirection> = []
    }

    init(number: Int, client: Int32, server: Int32, rules: Rules) {
        self.number = number
        self.client = client
        self.server = server
        self.rules = rules
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

    /// Ends it if it dropped something in a direction that is well again.
    func endIfBroken() {
        let (audience, silenced) = state.withLock { ($0.audience, $0.silenced) }
        let faults = rules.faults(audience)
        if silenced.contains(where: { !faults[$0].isDead }) { end() }
    }

    func carryRequests() {
        var count = 0
        carry(.toServer, from: client, to: server) { message in
            count += 1
            let request = WireProxy.Request(
                connection: number, number: count,
                arguments: WireFraming.arguments(of: message).prefix(WireProxy.Request.argumentsMax).map { Array($0) })
            let verdict = rules.hooks.onRequest(request)
            guard verdict == .pass else { return verdict }
            // Before it is sent: its reply may be there before this thread goes on.
            state.withLock { $0.note(request) }
            guard Self.send(message, to: server) else { return .cut }
            rules.hooks.onSent(request)
            return .pass
        }
    }

    func carryReplies() {
        carry(.toClient, from: server, to: client) { message in
            guard let request = state.withLock({ $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }) else {
                return .cut
            }
            if rules.losesReply(request) { return .cut }
            let verdict = rules.hooks.onReply(request, message)
            guard verdict == .pass else { return verdict }
            return Self.send(message, to: client) ? .pass : .cut
        }
    }

    /// Reads one direction to its end, message by message; of a stream, as it comes.
    private func carry(
        _ direction: WireDirection, from source: Int32, to sink: Int32,
        _ message: (ArraySlice<UInt8>) -> WireProxy.Verdict
    ) {
        var framing = WireFraming()
        var isSilent = false
        withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
            while true {
                let count = read(source, buffer.baseAddress!, buffer.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                guard !isSilent, arrives(direction) else {
                    rules.dropped(count)
                    continue
                }
                let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                if state.withLock({ $0.isStream }) {
                    guard Self.send(framing.takeRest(), to: sink), Self.send(bytes, to: sink) else { return }
                    continue
                }
                framing.append(bytes)
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

    /// Holds what was just read for as long as the wire is slow. Returns whether it arrives at all.
    private func arrives(_ direction: WireDirection) -> Bool {
        let audience = state.withLock { $0.audience }
        let readAt = ContinuousClock.now
        while true {
            let way = rules.faults(audience)[direction]
            if way.isDead { state.withLock { _ = $0.silenced.insert(direction) } }
            if state.withLock({ $0.silenced.contains(direction) }) { return false }
            let left = way.delay - readAt.duration(to: .now)
            guard left > .zero else { return true }
            // In short naps: a change of the faults counts for what is under way.
            usleep(UInt32(min(left, .milliseconds(2)) / .microseconds(1)))
        }
    }

    private static func send(_ message: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
        message.withUnsafeBytes { send($0, to: descriptor) }
    }

    private static func send(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            // No signal when the other end is gone.
            let count = Glibc.send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}

extension WireConnection.State {
    /// A request goes to the server. A replica says `REPLCONF listening-port N`, and ends its greeting with `PSYNC`: it sends that
    /// only once everything before is answered, so the direction that answers stands between two messages.
    fileprivate mutating func note(_ request: WireProxy.Request) {
        switch request.text(0).uppercased() {
        case "REPLCONF" where request.text(1).lowercased() == "listening-port":
            if let port = Int(request.text(2)) { audience = .replica(port: port) }
        case "PSYNC", "SYNC":
            isStream = true
            return
        default: break
        }
        if !isStream { waiting.append(request) }
    }
}
