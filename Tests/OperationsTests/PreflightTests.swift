import Inventory
import Operations
import Testing

/// Facts in, findings out.
@Suite("Preflight")
struct PreflightTests {
    func kinds(_ durability: Durability, _ node: NodeFacts) -> [Preflight.Kind] {
        Preflight(durability: durability).findings([node]).map(\.kind)
    }

    static let all: [Durability] = [.memory, .aof, .replicated(1), .durable]

    @Test("servers that keep everything are found fit at every level", arguments: all)
    func fit(durability: Durability) {
        #expect(kinds(durability, node()) == [])
        #expect(Preflight(durability: durability).findings([]).isEmpty)
    }

    @Test("a level asks only for what it rests on")
    func asked() {
        let bare = node {
            $0.hasAOF = false
            $0.appendFsync = nil
            $0.replicasInTouch = 0
        }
        #expect(kinds(.memory, bare) == [] && kinds(.durable, bare) == [])
        #expect(kinds(.aof, bare) == [.noAOF])
        #expect(kinds(.replicated(1), bare) == [.tooFewReplicas])
        #expect(kinds(.replicated(2), node()) == [.tooFewReplicas])
    }

    @Test("an append-only file that reaches the disk when the system likes, or that is not told, or fails")
    func file() {
        #expect(kinds(.aof, node { $0.appendFsync = "no" }) == [.neverSynced])
        #expect(kinds(.aof, node { $0.appendFsync = nil }) == [.syncUnknown])
        #expect(kinds(.aof, node { $0.appendFsync = "always" }) == [])
        #expect(kinds(.aof, node { $0.aofWritesWell = false }) == [.aofFails])
    }

    @Test("a server that still reads its file is not one without a file: nothing halts for it, and nothing opens on it")
    func loading() {
        let info = "# Persistence\r\nloading:1\r\naof_enabled:0\r\nconnected_slaves:0\r\n"
        let found = Preflight(durability: .aof).findings([NodeFacts(address: "h:1", info: info)])
        #expect(found.map(\.kind) == [.silent])
        #expect(found.allSatisfy { !$0.haltsSale && $0.refusesOpening })
    }

    @Test("what evicts or expires halts where Redis alone knows of orders, and alerts where SQL does", arguments: all)
    func evicts(durability: Durability) {
        let found = Preflight(durability: durability).findings(
            [node { $0.evictionPolicy = "allkeys-lru" }], expiring: ["h:1": ["sx_{a}1"]])
        #expect(found.map(\.kind) == [.evicts, .expiring])
        #expect(found.allSatisfy { $0.haltsSale == (durability != .durable) && $0.refusesOpening })
    }

    @Test("memory: the headroom is kept, and what grows fast is stopped earlier", arguments: all)
    func memory(durability: Durability) {
        let preflight = Preflight(durability: durability)
        let limit: Int64 = 1 << 30
        let room = limit - preflight.headroom(of: limit)
        #expect(preflight.headroom(of: limit) == 64 << 20)
        #expect(preflight.headroom(of: 8 << 20) == 2 << 20)
        #expect(preflight.findings([node { $0.usedMemory = room - 1 }]).isEmpty)
        let full = preflight.findings([node { $0.usedMemory = room }])
        #expect(full.map(\.kind) == [.memoryLow] && full[0].haltsSale)
        #expect(
            preflight.findings([node { $0.usedMemory = room / 2 }], growth: ["h:1": room]).map(\.kind) == [.memoryLow])
        #expect(preflight.findings([node { $0.memoryLimit = 0 }]).isEmpty)
        let own = Preflight(durability: durability, headroomBytes: 1 << 20)
        #expect(own.headroom(of: 8 << 20) == 1 << 20)
    }

    @Test("a server that is silent is not trusted to keep a file or replicas; else its buckets just do not sell")
    func silent() {
        for durability in Self.all {
            let found = Preflight(durability: durability).findings([], silent: [("h:1", "refused")])
            #expect(found.map(\.kind) == [.silent] && !found[0].haltsSale)
            #expect(found[0].refusesOpening == (durability == .aof || durability == .replicated(1)))
        }
    }

    @Test("INFO is read")
    func info() {
        let facts = NodeFacts(
            address: "h:1",
            info: """
                # Memory\r
                used_memory:1000\r
                maxmemory:5000\r
                total_system_memory:9000\r
                maxmemory_policy:volatile-ttl\r
                mem_not_counted_for_evict:100\r
                # Persistence\r
                aof_enabled:1\r
                aof_last_write_status:err\r
                # Replication\r
                role:master\r
                connected_slaves:3\r
                slave0:ip=127.0.0.1,port=1,state=online,offset=14,lag=0\r
                slave1:ip=127.0.0.1,port=2,state=online,offset=14,lag=30\r
                slave2:ip=127.0.0.1,port=3,state=wait_bgsave,offset=0,lag=0\r
                # Keyspace\r
                db0:keys=3,expires=2,avg_ttl=9\r
                """)
        #expect(facts.usedMemory == 900 && facts.memoryLimit == 5000)
        #expect(facts.evictionPolicy == "volatile-ttl" && facts.hasAOF && !facts.aofWritesWell)
        #expect(facts.replicasInTouch == 1 && facts.expiringKeys == 2)
        #expect(NodeFacts(address: "h:1", info: "maxmemory:0\r\ntotal_system_memory:9000").memoryLimit == 9000)
    }
}

/// The words in which a sale's durability is kept and typed.
@Suite("Durability in words")
struct DurabilityWordsTests {
    @Test("each level is read as it is written", arguments: PreflightTests.all + [.replicated(8)])
    func roundTrip(durability: Durability) {
        #expect(Durability(rawValue: durability.rawValue) == durability)
    }

    @Test(arguments: [
        "", "none", "replicated", "replicated:", "replicated:0", "replicated:9", "replicated:1:2", "replicated:+1",
        "Durable",
    ])
    func refused(text: String) {
        #expect(Durability(rawValue: text) == nil)
    }
}
