public import Redis

extension EmbeddedFleet {
    public struct Configuration: Sendable {
        /// Masters of the cluster; 1 is a plain single server. 1 … 100. (With 2, one crash silences the other as well: it
        /// lacks a majority.)
        public var masters = 3
        /// Replicas of each master, 0 … 5.
        public var replicas = 0
        /// How the servers keep what they are told.
        public var options = ServerOptions()
        /// Whether clients and replicas reach the servers through proxies, whose wires can be harmed. A single master is then
        /// found at one address for good, whichever server is master. Not with `keepFolder`: proxies end with this process.
        public var isProxied = false
        /// Lines for every server's redis.conf.
        public var extraLines: [String] = []
        /// Puts the fleet into this folder and leaves it running when this process ends.
        public var keepFolder: String?
        /// Told of every state, in order; must not block.
        public var onState: (@Sendable (State) -> Void)?

        public init(
            masters: Int = 3, replicas: Int = 0, options: ServerOptions = ServerOptions(), isProxied: Bool = false,
            extraLines: [String] = [], keepFolder: String? = nil
        ) {
            self.masters = masters
            self.replicas = replicas
            self.options = options
            self.isProxied = isProxied
            self.extraLines = extraLines
            self.keepFolder = keepFolder
        }

        /// In a few words: `single`, `single + 1 replica`, `cluster 3`, `cluster 3 + 3 replicas`.
        public var topology: String {
            let servers = masters == 1 ? "single" : "cluster \(masters)"
            let copies = masters * replicas
            return copies == 0 ? servers : "\(servers) + \(copies) \(copies == 1 ? "replica" : "replicas")"
        }

        /// In one word, for reports: `single`, `replicated` (a single master with replicas) or `cluster`.
        public var kind: String { masters > 1 ? "cluster" : replicas > 0 ? "replicated" : "single" }

        static let mastersMax = 100
        static let replicasMax = 5

        func validate() throws(FleetError) {
            guard (1...Self.mastersMax).contains(masters) else {
                throw FleetError(.misuse, "a fleet has 1 to \(Self.mastersMax) masters, not \(masters)")
            }
            guard (0...Self.replicasMax).contains(replicas) else {
                throw FleetError(.misuse, "a master has 0 to \(Self.replicasMax) replicas, not \(replicas)")
            }
            guard !isProxied || keepFolder == nil else {
                throw FleetError(.misuse, "a fleet that is kept has no proxies: they end with this process")
            }
        }
    }

    public enum State: Sendable, Equatable {
        /// The servers start.
        case starting
        /// They run and agree on their cluster; replicas take their first copy.
        case forming
        /// Every slot is served, and every replica is connected.
        case serving
        case stopped
    }

    /// What a server is in its fleet. A shard is what one master serves, with its replicas; 0 …< masters.
    public enum Role: Sendable, Equatable {
        case master(shard: Int)
        case replica(shard: Int)
        /// A server that was added, or a former member that was not told to follow anybody.
        case outside
    }

    /// A server as it is now.
    public struct Node: Sendable, Equatable {
        /// Its number in this fleet, from 0: masters first, then their replicas in the order of shards, then added ones.
        public let index: Int
        /// What the fleet's acts made it.
        public let role: Role
        /// Where it listens.
        public let address: RedisAddress
        /// Where clients are told to find it; another one than `address` only in a proxied cluster.
        public let clientAddress: RedisAddress
        /// Its process; of a server that is down, the last one.
        public let pid: Int32
        public let isUp: Bool
    }
}
