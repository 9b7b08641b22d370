/// What `INFO server` says of a server.
struct ServerFacts {
    let version: String
    let isCluster: Bool

    init(info: String) {
        let facts = RedisInfo(info)
        version = String(facts["redis_version"] ?? "")
        isCluster = facts["redis_mode"] == "cluster"
    }

    init(version: String, isCluster: Bool) {
        self.version = version
        self.isCluster = isCluster
    }

    /// Reads the reply of HELLO, names and values in turn; `nil` when it has another shape.
    init?(hello reply: RedisReply) {
        guard let fields = reply.array, fields.count % 2 == 0 else { return nil }
        var facts: [String: String] = [:]
        for index in stride(from: 0, to: fields.count, by: 2) {
            if let name = fields[index].string { facts[name] = fields[index + 1].string ?? "" }
        }
        guard let version = facts["version"] else { return nil }
        self.init(version: version, isCluster: facts["mode"] == "cluster")
    }

    /// Asks a server. Whoever may not ask INFO is told the same by HELLO, which no ACL forbids.
    static func of(
        _ connection: RedisConnection, deadline: ContinuousClock.Instant
    ) async throws(RedisError) -> ServerFacts {
        do {
            return ServerFacts(
                info: try await connection.call(RedisCommand("INFO", "server"), deadline: deadline).string ?? "")
        } catch {
            guard error.kind == .noPermission,
                let reply = try? await connection.call(RedisCommand("HELLO"), deadline: deadline),
                let facts = ServerFacts(hello: reply)
            else { throw error }
            return facts
        }
    }

    /// - Throws: `.unsupportedVersion` below `majorMin`.0, `.protocolError` when it names no version at all.
    func requireVersion(at address: RedisAddress, majorMin: Int = 7) throws(RedisError) {
        guard let major = version.split(separator: ".").first.flatMap({ Int($0) }) else {
            throw RedisError(
                .refused, .protocolError, "\(address) does not say which version of Redis it is; is it Redis?")
        }
        guard major >= majorMin else {
            throw RedisError(
                .refused, .unsupportedVersion, "\(address) runs Redis \(version); Sellout needs \(majorMin).0 or newer")
        }
    }
}
