import CHiredis
import DequeModule
import Glibc
import Host

/// The thread of one connection: connects, writes, reads, keeps time. Everything here is confined to that thread.
final class ConnectionLoop {
    private static let readChunk = 64 << 10
    /// hiredis moves what is left of its buffer every 1,024 bytes it parsed: small feeds keep those moves small.
    private static let feedChunk = 16 << 10
    /// Commands are encoded only while fewer bytes than this wait for the socket, so that what cannot leave anyway stays
    /// `notSent` when its deadline passes.
    private static let outputHighWater = 1 << 20

    private enum Phase {
        case down(retryAt: ContinuousClock.Instant)
        case connecting(until: ContinuousClock.Instant)
        /// Connected; AUTH and the like are under way.
        case greeting(until: ContinuousClock.Instant)
        case ready
    }

    private struct Waiting {
        let submission: ConnectionCore.Submission
        let taken: ContinuousClock.Instant
    }

    private struct Pending {
        /// `nil` for commands of our own (ASKING, AUTH), and once the caller was told that the answer is late.
        var completion: ConnectionCore.Completion?
        let deadline: ContinuousClock.Instant
        let taken: ContinuousClock.Instant
        /// Position of its first byte in all that this connection encoded.
        let start: UInt64
        /// Bytes to give back to the limit when it ends; `nil` for a tail, which is counted with its head.
        var bytes: Int?
        /// Its deadline passed; the answer is still to come, and nobody waits for it.
        var isLate = false
    }

    private let core: ConnectionCore
    private let url: RedisURL
    private let onStateChange: @Sendable (Bool) -> Void

    private var phase: Phase
    private var backoff: Duration
    private var context: UnsafeMutablePointer<redisContext>?
    private var reader = ReplyReader()
    private var batch: [ConnectionCore.Submission] = []
    private var waiting = Deque<Waiting>()
    private var pending = Deque<Pending>()
    private var output: [UInt8] = []
    private var outputHead = 0
    private var encodedBytes: UInt64 = 0
    private var writtenBytes: UInt64 = 0
    private var now = ContinuousClock.now
    /// No deadline lies before this; it may be too early, never too late.
    private var nextDeadline: ContinuousClock.Instant?
    /// When the server last said anything on this connection.
    private var heardAt = ContinuousClock.now
    private var health: RedisNodeHealth
    private var window: LatencyWindow
    private let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: readChunk, alignment: 64)

    init(core: ConnectionCore, url: RedisURL, onStateChange: @escaping @Sendable (Bool) -> Void) {
        self.core = core
        self.url = url
        self.onStateChange = onStateChange
        phase = .down(retryAt: now)
        backoff = core.options.backoffMin
        health = core.health
        window = LatencyWindow(start: now)
    }

    deinit { readBuffer.deallocate() }

    func run() {
        var closing = false
        while !closing {
            now = .now
            closing = core.take(into: &batch)
            for submission in batch {
                waiting.append(Waiting(submission: submission, taken: now))
                noteDeadline(expiry(of: waiting[waiting.count - 1]))
            }
            batch.removeAll(keepingCapacity: true)
            if closing { break }
            if core.takeReconnection() { leaveReplica() }
            if case .down(let retryAt) = phase, retryAt <= now { connect() }
            encodeWaiting()
            flush()
            expire()
            publish()
            sleep()
        }
        drop(RedisError(.unknown, .closed, "\(core.address): the connection was closed before it answered"))
        failWaiting { _ in RedisError(.notSent, .closed, "\(core.address): the connection was closed") }
        publish()
    }

    // MARK: Connecting

    private func connect() {
        let context = core.address.host.withCString { redisConnectNonBlock($0, Int32(core.address.port)) }
        guard let context else { return fail(connectError("out of memory")) }
        self.context = context
        guard context.pointee.err == 0 else {
            let text = String(cString: sellout_redis_errstr(context))
            return fail(connectError(text))
        }
        _ = fcntl(context.pointee.fd, F_SETFD, FD_CLOEXEC)
        reader = ReplyReader()
        phase = .connecting(until: now + core.options.connectTimeout)
    }

    /// The socket became writable while connecting: it is connected, or has failed.
    private func finishConnecting() {
        guard let context else { return }
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(context.pointee.fd, SOL_SOCKET, SO_ERROR, &code, &size)
        guard code == 0 else { return fail(connectError(HostError.reason(code))) }

        let until = now + core.options.connectTimeout
        phase = .greeting(until: until)
        if let password = url.password {
            var command = RedisCommand("AUTH")
            if let user = url.user { command.append(user) }
            command.append(password)
            encodeOwn(command, until: until)
        }
        encodeOwn(
            core.options.clientName.isEmpty
                ? RedisCommand("PING") : RedisCommand("CLIENT", "SETNAME", core.options.clientName), until: until)
    }

    /// An answer to a command of the greeting.
    private func greeted(_ reply: RedisReply) {
        if case .error(let text) = reply {
            let error = RedisError.fromServer(text, at: core.address)
            // CLIENT SETNAME may be forbidden or renamed: that harms nothing. A login that failed does.
            let isLogin = url.password != nil && pending.count == 1
            if error.kind == .noAuth || isLogin {
                let failure = RedisError(
                    .notSent, .noAuth, isLogin ? "\(core.address) refused the login: \(text)" : error.message,
                    serverText: text)
                backoff = core.options.backoffMax
                fail(failure)
                failWaiting { _ in failure }
                return
            }
        }
        guard pending.isEmpty else { return }
        phase = .ready
        heardAt = now
        backoff = core.options.backoffMin
        setUp(true)
    }

    /// Connects again, unless that has just been done: answers that lay under way speak of the former connection.
    private func leaveReplica() {
        guard case .ready = phase, now - health.since >= core.options.backoffMax else { return }
        fail(lostError("a replica answers there; connecting again to find its master"))
    }

    private func connectError(_ reason: String) -> RedisError {
        RedisError(.notSent, .connectionLost, "\(core.address): cannot connect: \(reason)")
    }

    private func setUp(_ up: Bool) {
        guard health.isUp != up else { return }
        health.isUp = up
        health.since = now
        core.publish(health)
        onStateChange(up)
    }

    // MARK: Writing

    private func encodeOwn(_ command: RedisCommand, until: ContinuousClock.Instant) {
        pending.append(Pending(completion: nil, deadline: until, taken: now, start: encodedBytes, bytes: 0))
        noteDeadline(until)
        encode(command)
    }

    private func encode(_ command: RedisCommand) {
        let before = output.count
        command.encode(into: &output)
        encodedBytes += UInt64(output.count - before)
    }

    private func encodeWaiting() {
        guard case .ready = phase else { return }
        while output.count - outputHead < Self.outputHighWater, let next = waiting.popFirst() {
            let submission = next.submission
            let start = encodedBytes
            if submission.asking { encodeOwn(RedisCommand("ASKING"), until: submission.deadline) }
            pending.append(
                Pending(
                    completion: submission.completion, deadline: submission.deadline, taken: next.taken,
                    start: start, bytes: submission.byteCount))
            encode(submission.command)
            guard let tail = submission.tail else { continue }
            pending.append(
                Pending(
                    completion: tail.completion, deadline: submission.deadline, taken: next.taken,
                    start: encodedBytes, bytes: nil))
            encode(tail.command)
        }
    }

    private func flush() {
        guard let context, outputHead < output.count else { return }
        switch phase {
        case .ready, .greeting: break
        case .down, .connecting: return
        }
        while outputHead < output.count {
            // MSG_NOSIGNAL: a server that went away is an error of this connection, not a SIGPIPE to the process.
            let sent = output.withUnsafeBytes {
                send(
                    context.pointee.fd, $0.baseAddress! + outputHead, $0.count - outputHead,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            guard sent > 0 else {
                if sent < 0, errno == EINTR { continue }
                if sent < 0, errno == EAGAIN { break }
                return fail(lostError(HostError.reason(errno)))
            }
            outputHead += sent
            writtenBytes += UInt64(sent)
            health.bytesOut += UInt64(sent)
        }
        if outputHead == output.count {
            if output.capacity > 4 * Self.outputHighWater {
                output = []
            } else {
                output.removeAll(keepingCapacity: true)
            }
            outputHead = 0
        } else if outputHead > Self.outputHighWater {
            output.removeFirst(outputHead)
            outputHead = 0
        }
    }

    // MARK: Reading

    private func receive() {
        // A few rounds, then back to writing: neither direction starves the other.
        for _ in 0..<8 {
            guard let context else { return }
            let count = recv(context.pointee.fd, readBuffer.baseAddress, readBuffer.count, Int32(MSG_DONTWAIT))
            if count == 0 { return fail(lostError("the server closed the connection")) }
            guard count > 0 else {
                if errno == EAGAIN || errno == EINTR { return }
                return fail(lostError(HostError.reason(errno)))
            }
            health.bytesIn += UInt64(count)
            heardAt = now
            var offset = 0
            while offset < count, self.context != nil {
                let length = min(Self.feedChunk, count - offset)
                reader.feed(UnsafeRawBufferPointer(rebasing: readBuffer[offset..<(offset + length)]))
                offset += length
                parse()
            }
            if count < readBuffer.count { return }
        }
    }

    private func parse() {
        while context != nil {
            switch reader.next() {
            case .needsMore: return
            case .failed(let reason):
                return fail(
                    RedisError(.unknown, .protocolError, "\(core.address) does not speak Redis's protocol: \(reason)"))
            case .reply(let reply):
                guard let head = pending.popFirst() else {
                    return fail(
                        RedisError(.unknown, .protocolError, "\(core.address) answered what nobody asked: is it Redis?")
                    )
                }
                answer(head, reply)
            }
        }
    }

    private func answer(_ head: Pending, _ reply: RedisReply) {
        guard let completion = head.completion else {
            if case .greeting = phase { greeted(reply) }
            return
        }
        health.calls += 1
        window.record(now - head.taken)
        if let bytes = head.bytes { core.ended(bytes: bytes) }
        if case .error(let text) = reply {
            health.errors += 1
            completion(.failure(.fromServer(text, at: core.address)))
        } else {
            completion(.success(reply))
        }
    }

    // MARK: Failing

    private func lostError(_ reason: String) -> RedisError {
        RedisError(.unknown, .connectionLost, "\(core.address): connection lost: \(reason)")
    }

    /// Ends this connection and plans the next attempt.
    private func fail(_ error: RedisError) {
        // Where something else than Redis listens, waiting for it to become Redis helps nobody.
        let isHopeless = if case .greeting = phase { error.kind == .protocolError } else { false }
        health.lastError = error.message
        phase = .down(retryAt: now + backoff)
        backoff = min(backoff * 2, core.options.backoffMax)
        // What waits is given up earlier now than its deadline.
        if !waiting.isEmpty { noteDeadline(now) }
        drop(error)
        setUp(false)
        if isHopeless || !core.options.waitsWhileDown {
            let told = RedisError(.notSent, error.kind, error.message, serverText: error.serverText)
            failWaiting { _ in told }
        }
    }

    /// Destroys the context. Commands of which a byte left are unknown, the others were not sent.
    private func drop(_ error: RedisError) {
        if let context {
            redisFree(context)
            self.context = nil
        }
        let written = writtenBytes
        let lost = pending
        pending.removeAll()
        output = []
        outputHead = 0
        writtenBytes = encodedBytes
        for head in lost {
            guard let completion = head.completion else { continue }
            let outcome: RedisError.Outcome = head.start < written ? .unknown : .notSent
            // Another command's deadline is for this one a lost connection.
            let kind = error.kind == .deadline && head.deadline > now ? .connectionLost : error.kind
            health.errors += 1
            if let bytes = head.bytes { core.ended(bytes: bytes) }
            completion(.failure(RedisError(outcome, kind, error.message)))
        }
    }

    private func failWaiting(_ error: (ConnectionCore.Submission) -> RedisError) {
        let all = waiting
        waiting.removeAll()
        for entry in all { end(entry, error(entry.submission)) }
    }

    private func end(_ entry: Waiting, _ error: RedisError) {
        health.errors += 1
        core.end(entry.submission, error)
    }

    // MARK: Time

    private func noteDeadline(_ deadline: ContinuousClock.Instant) {
        if let next = nextDeadline, next <= deadline { return }
        nextDeadline = deadline
    }

    /// When a command that is not sent yet is given up: while the server is down, it waits for `connectTimeout` at most.
    private func expiry(of entry: Waiting) -> ContinuousClock.Instant {
        if case .ready = phase { return entry.submission.deadline }
        return min(entry.submission.deadline, entry.taken + core.options.connectTimeout)
    }

    private func expire() {
        switch phase {
        case .connecting(let until) where until <= now:
            fail(connectError("no answer within \(core.options.connectTimeout)"))
        case .greeting(let until) where until <= now:
            fail(connectError("it accepts but does not answer within \(core.options.connectTimeout); is it Redis?"))
        default: break
        }
        guard let next = nextDeadline, next <= now else { return }

        // Answers may lie in the socket: this thread may come late, as in a process that was stopped.
        if pending.contains(where: { $0.deadline <= now }) { receive() }
        if pending.contains(where: { $0.deadline <= now }) { endLate() }
        let isReady = if case .ready = phase { true } else { false }
        var kept = Deque<Waiting>()
        let all = waiting
        waiting.removeAll()
        nextDeadline = nil
        for entry in all {
            let expiry = expiry(of: entry)
            guard expiry <= now else {
                kept.append(entry)
                noteDeadline(expiry)
                continue
            }
            // The greeting may still have a moment left that this command has not.
            let silence =
                if case .greeting = phase { "\(core.address): it accepts but does not answer; is it Redis?" } else {
                    nil as String?
                }
            let reason = isReady ? nil : health.lastError ?? silence
            end(
                entry,
                RedisError(
                    .notSent, isReady ? .deadline : .connectionLost,
                    reason ?? "\(core.address): it could not be sent before the deadline"))
        }
        waiting = kept
        for head in pending where !head.isLate { noteDeadline(head.deadline) }
        if let silentUntil { noteDeadline(silentUntil) }
    }

    /// Until when the server may be silent before it is taken for gone; `nil`: no answer is late.
    private var silentUntil: ContinuousClock.Instant? {
        guard let first = pending.first, pending.contains(where: \.isLate) else { return nil }
        return max(heardAt, first.taken) + core.options.silenceMax
    }

    /// Tells callers whose deadlines have passed; their commands may have been carried out, or may be yet. The connection is
    /// given up only where the server has been silent: one that answers slowly would be asked everything again by everybody, and
    /// whoever has the least patience would cut off those who have more.
    private func endLate() {
        for index in pending.indices where pending[index].deadline <= now && !pending[index].isLate {
            pending[index].isLate = true
            if let bytes = pending[index].bytes { core.ended(bytes: bytes) }
            pending[index].bytes = nil
            guard let completion = pending[index].completion else { continue }
            pending[index].completion = nil
            health.errors += 1
            completion(.failure(RedisError(.unknown, .deadline, "\(core.address): no answer before the deadline")))
        }
        guard let silentUntil, silentUntil <= now else { return }
        let silence = core.options.silenceMax
        fail(
            RedisError(
                .unknown, .deadline, "\(core.address): no answer for \(silence); its connection was given up"))
    }

    private func publish() {
        if now >= window.end {
            let seconds = (now - window.start) / .seconds(1)
            health.callsPerSecond = Double(window.count) / seconds
            health.p50 = window.quantile(0.5)
            health.p99 = window.quantile(0.99)
            window.restart(at: now)
        }
        core.publish(health)
    }

    /// Waits for the socket, for a caller, or for the next time that matters.
    private func sleep() {
        var wakeAt = nextDeadline
        func consider(_ instant: ContinuousClock.Instant) {
            if wakeAt == nil || instant < wakeAt! { wakeAt = instant }
        }
        var events = Int16(POLLIN)
        switch phase {
        case .down(let retryAt): consider(retryAt)
        case .connecting(let until):
            consider(until)
            events = Int16(POLLOUT)
        case .greeting(let until): consider(until)
        case .ready: break
        }
        // One more wake-up after the last call, so that the rates fall back to zero.
        if window.count > 0 || health.callsPerSecond > 0 { consider(window.end) }
        if outputHead < output.count { events |= Int16(POLLOUT) }

        var timeout: Int32 = -1
        if !core.park() {
            timeout = 0
        } else if let wakeAt {
            // Rounded up: waking a fraction early would only poll again.
            let milliseconds = ((wakeAt - now) / .milliseconds(1)).rounded(.up)
            timeout = Int32(max(0, min(milliseconds, 60_000)))
        }
        var descriptors = [
            pollfd(fd: core.notifier.fileDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: context?.pointee.fd ?? -1, events: events, revents: 0),
        ]
        guard poll(&descriptors, 2, timeout) > 0 else { return }
        now = .now
        if descriptors[0].revents != 0 { core.notifier.drain() }
        guard descriptors[1].revents != 0 else { return }
        if case .connecting = phase {
            finishConnecting()
        } else if descriptors[1].revents & ~Int16(POLLOUT) != 0 {
            receive()
        }
    }
}
