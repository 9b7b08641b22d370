public import Redis
import RedisModel
import Synchronization

/// A real server, and the model of one beside it: every command goes to both, and their answers must be the same.
///
/// The model runs each command when the real answer arrives. One connection answers in the order in which its server executed,
/// so this holds for many callers at once too, as long as nobody writes past this port.
public final class TwinPort: RedisPort {
    private struct State {
        let server: RedisModelServer
        var sources: [String: String] = [:]
        var compared = 0
        var differences: [String] = []
    }

    /// What the two said differently.
    public struct Difference: Error, CustomStringConvertible {
        public let description: String
    }

    private static let differencesMax = 10
    private let base: RedisCluster
    private let state: Mutex<State>

    /// - Parameter cluster: one empty server.
    public init(_ cluster: RedisCluster) async throws(RedisError) {
        base = cluster
        let deadline = ContinuousClock.now + .seconds(5)
        let info = try await cluster.call(slot: 0, RedisCommand("INFO"), deadline: deadline).string ?? ""
        func fact(_ name: String) -> String {
            info.split(whereSeparator: \.isNewline).first { $0.hasPrefix(name + ":") }
                .map { String($0.dropFirst(name.utf8.count + 1)) } ?? ""
        }
        state = Mutex(
            State(
                server: RedisModelServer(
                    identity: .init(replicationID: fact("master_replid"), runID: fact("run_id")))))
    }

    /// `init`, as `SaleRig.with(port:)` wants it.
    public static func beside(_ cluster: RedisCluster) async throws -> any RedisPort { try await TwinPort(cluster) }

    /// Answers that were compared so far.
    public var compared: Int { state.withLock { $0.compared } }

    /// Makes the model what the real server has become, by its INFO.
    public func followIdentity() async throws(RedisError) {
        let info =
            try await base.call(
                slot: 0, RedisCommand("INFO", "replication"), deadline: .now + .seconds(5)
            ).string ?? ""
        let lines = info.split(whereSeparator: \.isNewline)
        let lineage = lines.first { $0.hasPrefix("master_replid:") }?.dropFirst("master_replid:".count)
        let isMaster = lines.contains("role:master")
        state.withLock { state in
            state.server.identity.role = isMaster ? .master : .replica
            state.server.identity.replicationID = String(lineage ?? "")
        }
    }

    /// Compares all that the two hold.
    ///
    /// - Throws: `Difference` with the first differences, in answers before or contents now.
    public func compareContents() async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        let keys = try await call(slot: 0, RedisCommand("KEYS", "*"), deadline: deadline).array ?? []
        for key in keys.compactMap(\.bytes) {
            var asking = RedisCommand("TYPE")
            asking.append(key)
            let type = try await call(slot: 0, asking, deadline: deadline).string ?? ""
            var reading: [[String]] = []
            switch type {
            case "string": reading = [["GET"]]
            case "hash": reading = [["HGETALL"], ["HLEN"]]
            case "stream": reading = [["XRANGE", "-", "+"], ["XLEN"]]
            default: break
            }
            for words in reading {
                var command = RedisCommand(words[0])
                command.append(key)
                for word in words.dropFirst() { command.append(word) }
                _ = try await call(slot: 0, command, deadline: deadline)
            }
            if type == "stream" {
                var command = RedisCommand("XINFO", "STREAM")
                command.append(key)
                _ = try await call(slot: 0, command, deadline: deadline)
            }
        }
        let differences = state.withLock { $0.differences }
        if !differences.isEmpty { throw Difference(description: differences.joined(separator: "\n")) }
    }

    // MARK: RedisPort

    public var isCluster: Bool { base.isCluster }
    public var status: [RedisNodeStatus] { base.status }
    public func master(ofSlot slot: Int) -> RedisAddress? { base.master(ofSlot: slot) }
    public func close() { base.close() }

    public func send(
        slot: Int, command: RedisCommand, deadline: ContinuousClock.Instant, completion: @escaping Completion
    ) {
        base.send(slot: slot, command: command, deadline: deadline) { [self] result in
            compare(command.words, result)
            completion(result)
        }
    }

    public func evaluate(
        _ script: LoadedScript, _ call: ScriptCall, slot: Int, deadline: ContinuousClock.Instant,
        completion: @escaping Completion
    ) {
        var command = RedisCommand("EVALSHA", script.sha, capacity: 512)
        for word in call.words { command.append(word) }
        send(slot: slot, command: command, deadline: deadline) { [self] result in
            guard case .failure(let error) = result, error.kind == .noScript else { return completion(result) }
            var command = RedisCommand("EVAL", state.withLock { $0.sources[script.sha] ?? "" })
            for word in call.words { command.append(word) }
            send(slot: slot, command: command, deadline: deadline, completion: completion)
        }
    }

    public func load(_ script: RedisScript) async throws(RedisError) -> LoadedScript {
        let loaded = try await base.load(script)
        state.withLock { $0.sources[loaded.sha] = script.source }
        compare(RedisCommand("SCRIPT", "LOAD", script.source).words, .success(.bulk(Array(loaded.sha.utf8))))
        return loaded
    }

    public func onEachMaster(
        _ command: RedisCommand, deadline: ContinuousClock.Instant
    ) async -> [(address: RedisAddress, result: Result<RedisReply, RedisError>)] {
        let answers = await base.onEachMaster(command, deadline: deadline)
        for answer in answers { compare(command.words, answer.result) }
        return answers
    }

    // MARK: Comparing

    /// What only one server can know of itself, and what the model leaves out.
    private static let ownCommands: Set<String> = ["INFO", "TIME", "CLUSTER", "DUMP", "RESTORE", "OBJECT", "REPLICAOF"]

    private func compare(_ words: [[UInt8]], _ real: Result<RedisReply, RedisError>) {
        let name = String(decoding: words[0], as: UTF8.self).uppercased()
        guard !Self.ownCommands.contains(name) else { return }
        if case .failure(let error) = real, error.serverText == nil {
            // Not sent, or not answered: nothing to compare. What may have run on one side only shows in what follows.
            return
        }
        state.withLock { state in
            state.compared += 1
            let modelled = state.server.answer(words, as: base.url.address)
            guard state.differences.count < Self.differencesMax, !Self.same(real, modelled, name, words) else { return }
            let command = words.prefix(20).map { Self.readable($0.prefix(80)) }.joined(separator: " ")
            state.differences.append(
                "\(command)\n  real:  \(Self.words(real).prefix(2_000))\n  model: \(Self.words(modelled).prefix(2_000))"
            )
        }
    }

    private static func same(
        _ real: Result<RedisReply, RedisError>, _ modelled: Result<RedisReply, RedisError>, _ name: String,
        _ words: [[UInt8]]
    ) -> Bool {
        switch (real, modelled) {
        case (.success(let real), .success(let modelled)):
            real == modelled || comparable(real, name, words) == comparable(modelled, name, words)
        case (.failure(let real), .failure(let modelled)):
            real.outcome == modelled.outcome && real.kind == modelled.kind && real.serverText == modelled.serverText
        default: false
        }
    }

    private static func words(_ result: Result<RedisReply, RedisError>) -> String {
        switch result {
        case .failure(let error): "\(error.outcome) \(error.kind): \(error.serverText ?? error.message)"
        case .success(let reply): readable(reply)
        }
    }

    /// A reply without what Redis leaves open: the order of keys and fields, and how a scan is cut into pages.
    private static func comparable(_ reply: RedisReply, _ name: String, _ words: [[UInt8]]) -> RedisReply {
        guard case .array(let elements) = reply else { return reply }
        switch name {
        case "KEYS", "HKEYS", "HVALS": return .array(sorted(elements))
        case "HGETALL": return sortedPairs(elements)
        case "SCAN", "HSCAN":
            guard elements.count == 2, elements[0].string == "0", words[name == "SCAN" ? 1 : 2] == [48],
                let items = elements[1].array
            else { return .status("a page") }
            return name == "SCAN" ? .array(sorted(items)) : sortedPairs(items)
        case "XINFO":
            // The two counts of the radix tree.
            return .array(elements.enumerated().map { $0.offset == 3 || $0.offset == 5 ? .null : $0.element })
        default: return reply
        }
    }

    private static func sorted(_ elements: [RedisReply]) -> [RedisReply] {
        elements.sorted { ($0.bytes ?? []).lexicographicallyPrecedes($1.bytes ?? []) }
    }

    private static func sortedPairs(_ elements: [RedisReply]) -> RedisReply {
        let pairs = stride(from: 0, to: elements.count - 1, by: 2).map { (elements[$0], elements[$0 + 1]) }
        return .array(
            pairs.sorted { ($0.0.bytes ?? []).lexicographicallyPrecedes($1.0.bytes ?? []) }.flatMap { [$0.0, $0.1] })
    }

    private static func readable(_ reply: RedisReply) -> String {
        switch reply {
        case .status(let text): "+\(text)"
        case .error(let text): "-\(text)"
        case .integer(let value): ":\(value)"
        case .bulk(let bytes): readable(bytes[...])
        case .null: "nil"
        case .array(let elements): "[" + elements.map(readable).joined(separator: ", ") + "]"
        }
    }

    private static func readable(_ bytes: ArraySlice<UInt8>) -> String {
        var text = "\""
        for byte in bytes {
            if (32..<127).contains(byte) {
                text.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                text += "\\\(byte)."
            }
        }
        return text + "\""
    }
}
