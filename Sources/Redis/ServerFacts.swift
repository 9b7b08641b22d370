/// What `INFO server` says of a server.
struct ServerFacts {
    let version: String
    let isCluster: Bool

    init(info: String) {
        var facts: [Substring: Substring] = [:]
        for line in info.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            facts[line[..<colon]] = line[line.index(after: colon)...]
        }
        version = String(facts["redis_version"] ?? "")
        isCluster = facts["redis_mode"] == "cluster"
    }

    /// - Throws: `.unsupportedVersion` below 7.0, `.protocolError` when it names no version at all.
    func requireVersion(at address: RedisAddress) throws(RedisError) {
        guard let major = version.split(separator: ".").first.flatMap({ Int($0) }) else {
            throw RedisError(
                .refused, .protocolError, "\(address) does not say which version of Redis it is; is it Redis?")
        }
        guard major >= 7 else {
            throw RedisError(
                .refused, .unsupportedVersion, "\(address) runs Redis \(version); Sellout needs 7.0 or newer")
        }
    }
}
