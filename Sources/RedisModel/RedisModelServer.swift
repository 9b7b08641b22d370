public import Redis

/// A Redis server in memory: bytes in, reply out, no socket, no thread, no clock.
///
/// It runs the same Lua scripts as a real server, in a Lua 5.1 of its own, and answers every command that the sources use as
/// Redis 7.0 does, down to the words of its errors, by which the client classifies them. `RedisModelTests` hold it against a
/// real server.
///
/// - What it holds is `data`, a value: read it for a snapshot, assign it to roll back, promote or flush.
/// - What it is, is `identity` and `memory`: scripts and clients read them through INFO.
/// - What it knows of scripts is a cache apart from both: `forgetScripts` is SCRIPT FLUSH or a restart.
///
/// Nothing in it is random or reads a clock, and its replies list fields and keys in the order in which they were made: the
/// same calls get the same replies, run by run. One thread at a time: it holds a Lua state and is not `Sendable`.
public final class RedisModelServer {
    /// What INFO replication tells of the server.
    public struct Identity: Sendable, Hashable {
        public enum Role: Sendable, Hashable { case master, replica }

        public var role = Role.master
        /// `master_replid`, 40 hexadecimal digits: the lineage of the data. The caller changes it as Redis does: at a restart,
        /// at a promotion, when a first replica attaches.
        public var replicationID: String
        /// `run_id`, 40 hexadecimal digits: the process. It changes with each start.
        public var runID: String
        /// Replicas attached and online.
        public var connectedReplicas = 0

        /// - Parameter runID: derived from `replicationID` unless given.
        public init(replicationID: String, runID: String? = nil) {
            self.replicationID = replicationID
            self.runID = runID ?? SHA1.hex(Array(replicationID.utf8)).text
        }
    }

    /// What INFO memory tells, and when writes are refused for it.
    public struct Memory: Sendable, Hashable {
        public var usedBytes: Int64 = 1_000_000
        /// 0: no limit. Above it, commands that may need memory are refused (`noeviction`).
        public var maxBytes: Int64 = 0

        public init() {}
    }

    public var data = RedisData()
    public var identity: Identity
    public var memory = Memory()
    /// What `min-replicas-to-write` asks for; with fewer in `identity.connectedReplicas`, writes are refused.
    public var minReplicasToWrite = 0
    /// What WAIT answers; `nil`: as many as `identity.connectedReplicas`.
    public var waitAnswer: Int?
    /// What TIME answers, and what `XADD *` takes its ids from; microseconds of Unix time.
    public var timeMicroseconds: Int64 = 1_700_000_000_000_000
    /// Answers of CONFIG GET, and what CONFIG SET writes.
    public var settings = RedisModelServer.defaultSettings
    /// Told each write that was made, as a replica would receive it: the commands of a script, not its call. `apply` makes them
    /// elsewhere.
    public var onWrite: (([[UInt8]]) -> Void)?

    let machine: ScriptMachine
    /// Hashes of the scripts that were loaded or evaluated.
    var knownScripts: Set<[UInt8]> = []
    /// The script that runs now; `nil` outside of scripts.
    var running: RunningScript?
    /// Sections of INFO that scripts ask for at every call, kept until the identity changes.
    var keptInfo: [String: (identity: Identity, bytes: [UInt8])] = [:]

    /// - Parameter machine: runs the scripts. Servers on one thread may share one, which spares each the compiling: a script
    ///   leaves nothing behind in it.
    public init(identity: Identity, machine: ScriptMachine = ScriptMachine()) {
        self.identity = identity
        self.machine = machine
    }

    /// Runs one command, its name and arguments as they come over the wire, to its end.
    ///
    /// - Returns: the reply; an error reply as `.error` with the server's words.
    public func execute(_ argv: [[UInt8]]) -> RedisReply {
        do throws(CommandError) {
            return try dispatch(argv)
        } catch {
            return .error(error.text)
        }
    }

    /// `execute`, with error replies as the client sees them: classified, with their outcome.
    public func answer(_ argv: [[UInt8]], as address: RedisAddress) -> Result<RedisReply, RedisError> {
        switch execute(argv) {
        case .error(let text): .failure(RedisError.fromServer(text, at: address))
        case let reply: .success(reply)
        }
    }

    /// Makes a write that another server's `onWrite` told of, whatever the role, as replication does.
    public func apply(_ argv: [[UInt8]]) {
        guard let command = Command.find(argv), case .data(let run) = command.action else { return }
        do throws(CommandError) { _ = try run(&data, argv) } catch { return }
        onWrite?(argv)
    }

    /// Starts the server anew, as a master: another process with another lineage, which knows no scripts. The data stay as they
    /// are: the caller assigns what the disk would have brought back.
    public func restart(replicationID: String) {
        identity = Identity(replicationID: replicationID)
        forgetScripts()
    }

    /// Forgets all compiled scripts: a restart, or SCRIPT FLUSH. The next EVALSHA hears NOSCRIPT.
    public func forgetScripts() { knownScripts = [] }
}
