public import OrderStore
public import Redis

/// A planted bug in a real process.
extension Plant {
    public struct Unknown: Error, CustomStringConvertible {
        public let description: String
    }

    /// The plant of a name.
    ///
    /// - Throws: `Unknown`, in one line.
    public static func named(_ name: String) throws -> Plant {
        guard let plant = all.first(where: { $0.name == name }) else {
            throw Unknown(description: "there is no planted bug \(name); `--plant list` names them")
        }
        return plant
    }

    /// The ports of a process with the bug: scripts are altered where they are loaded.
    public func planted(
        redis: any RedisPort, store: any OrderStore
    ) -> (redis: any RedisPort, store: any OrderStore) {
        ports((RedisWithOtherScripts(base: redis, alter: script), store))
    }
}

/// Loads scripts with another text.
private struct RedisWithOtherScripts: RedisPortDecorator {
    let base: any RedisPort
    let alter: @Sendable (_ name: String, _ source: String) -> String

    func load(_ script: RedisScript) async throws(RedisError) -> LoadedScript {
        try await base.load(RedisScript(name: script.name, source: alter(script.name, script.source)))
    }
}
