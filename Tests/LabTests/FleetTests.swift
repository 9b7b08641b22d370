import Glibc
import Host
import Lab
import Redis
import Synchronization
import Testing

@Suite("An embedded fleet", .timeLimit(.minutes(5)))
struct FleetTests {
    private func soon() -> ContinuousClock.Instant { .now + .seconds(5) }

    @Test("forms a cluster that serves every slot, and says how far it is")
    func forms() async throws {
        let states = Mutex<[EmbeddedFleet.State]>([])
        var configuration = EmbeddedFleet.Configuration(masters: 3)
        configuration.onState = { state in states.withLock { $0.append(state) } }
        let fleet = try await EmbeddedFleet.start(configuration)
        let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
        #expect(cluster.isCluster)
        #expect(cluster.status.map(\.slotCount).reduce(0, +) == HashSlot.count)
        #expect(cluster.status.map(\.address) == fleet.nodes.map(\.address))
        for slot in stride(from: 0, to: HashSlot.count, by: 997) {
            let key = try #require((0...).lazy.map { "k\($0)" }.first { HashSlot.of($0) == slot })
            #expect(
                try await cluster.call(slot: slot, RedisCommand("SET", key, "v"), deadline: soon()) == .status("OK"))
        }
        cluster.close()
        let nodes = fleet.nodes
        await fleet.stop()
        await fleet.stop()
        for node in nodes { #expect(OtherProcess.waitForEnd(pid: node.pid, timeoutMilliseconds: 0)) }
        #expect(access(fleet.folderPath, F_OK) != 0)
        #expect(states.withLock { $0 } == [.starting, .forming, .serving, .stopped, .stopped])
    }

    @Test("is private to its owner")
    func isPrivate() async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: 1))
        var status = stat()
        #expect(stat(fleet.folderPath, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
        await fleet.stop()
    }

    @Test("brings a crashed member back empty, on its port, with its slots")
    func crashAndRestart() async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: 3))
        let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
        let slot = try #require(cluster.status[1].slotRanges.first?.lowerBound)
        let key = try #require((0...).lazy.map { "k\($0)" }.first { HashSlot.of($0) == slot })
        _ = try await cluster.call(slot: slot, RedisCommand("SET", key, "v"), deadline: soon())
        let before = fleet.nodes[1]

        try await fleet.crash(1)
        #expect(!fleet.nodes[1].isUp)
        #expect(fleet.nodes.filter(\.isUp).count == 2)
        await #expect(throws: FleetError.self) { try await fleet.crash(1) }
        try await fleet.restart(1)

        #expect(fleet.nodes[1].isUp)
        #expect(fleet.nodes[1].address == before.address)
        #expect(fleet.nodes[1].pid != before.pid)
        #expect(try await cluster.call(slot: slot, RedisCommand("GET", key), deadline: soon()) == .null)
        #expect(cluster.master(ofSlot: slot) == before.address)
        cluster.close()
        await fleet.stop()
    }

    @Test("two fleets side by side do not meet")
    func twoFleets() async throws {
        async let one = EmbeddedFleet.start(.init(masters: 3))
        async let other = EmbeddedFleet.start(.init(masters: 3))
        let fleets = try await [one, other]
        for fleet in fleets {
            let cluster = try await RedisCluster.connect(to: RedisURL(fleet.url))
            let known = try await cluster.call(slot: 0, RedisCommand("CLUSTER", "INFO"), deadline: soon()).string ?? ""
            #expect(known.contains("cluster_known_nodes:3\r\n"))
            cluster.close()
        }
        #expect(Set(fleets.flatMap { $0.nodes.map(\.address) }).count == 6)
        for fleet in fleets { await fleet.stop() }
    }

    @Test("takes extra lines, and adds a replica")
    func replica() async throws {
        let fleet = try await EmbeddedFleet.start(.init(masters: 1, extraLines: ["appendonly yes"]))
        let master = fleet.nodes[0].address
        let replica = try await fleet.addServer(extraLines: ["replicaof \(master.host) \(master.port)"])
        let connection = try RedisConnection(address: master)
        _ = try await connection.call(RedisCommand("SET", "k", "v"), deadline: soon())
        // WAIT answers as soon as the replica has it; the replica asks for the first copy within a second.
        var reached: Int64 = 0
        while reached == 0 {
            reached = try await connection.call(RedisCommand("WAIT", "1", "500"), deadline: soon()).int ?? 0
        }
        let other = try RedisConnection(address: replica.address)
        #expect(try await other.call(RedisCommand("GET", "k"), deadline: soon()).string == "v")

        // With appendonly a crash loses nothing here.
        try await fleet.crash(0)
        try await fleet.restart(0)
        #expect(try await connection.call(RedisCommand("GET", "k"), deadline: soon()).string == "v")
        connection.close()
        other.close()
        await fleet.stop()
        #expect(OtherProcess.waitForEnd(pid: replica.pid, timeoutMilliseconds: 0))
    }

    @Test("tells the last log line of a server that dies while it starts")
    func badConfiguration() async throws {
        let error = await #expect(throws: FleetError.self) {
            _ = try await EmbeddedFleet.start(.init(masters: 1, extraLines: ["maxmemory-policy nonsense"]))
        }
        #expect(error?.kind == .died)
        #expect(error?.message.contains("\n") == false)
        #expect(error?.message.contains("ended while starting") == true)
    }
}

@Suite("A fleet whose owner is killed", .timeLimit(.minutes(5)))
struct OrphanTests {
    @Test("leaves no server, and its folder to the next start's sweep", arguments: [(1, 0), (3, 0), (1, 1)])
    func killedOwner(masters: Int, replicas: Int) async throws {
        let scratch = try Scratch()
        let holder = try await Holder.start(masters: masters, replicas: replicas, temporary: scratch.path)
        try #require(holder.serves, "\(holder.line)")
        #expect(holder.serverPIDs.count == masters * (1 + replicas))
        await holder.kill()
        for pid in holder.serverPIDs { #expect(OtherProcess.waitForEnd(pid: pid, timeoutMilliseconds: 5000)) }
        #expect(access(holder.folder, F_OK) == 0)

        let next = try await Holder.start(masters: 1, temporary: scratch.path)
        try #require(next.serves, "\(next.line)")
        #expect(access(holder.folder, F_OK) != 0)
        #expect(access(next.folder, F_OK) == 0)
        await next.kill()
    }

    @Test("the sweep kills a server that is left in a dead folder, and only that one")
    func sweep() async throws {
        let scratch = try Scratch()
        let dead = try await Holder.start(masters: 1, temporary: scratch.path)
        try #require(dead.serves, "\(dead.line)")
        await dead.kill()
        // A server in the dead folder, as if the death signal had not reached it; and a living fleet beside it.
        let null = open("/dev/null", O_WRONLY)
        defer { close(null) }
        let left = try await ChildProcess.start(
            .init(
                executable: "/usr/bin/redis-server", arguments: ["redis.conf"], directory: "\(dead.folder)/redis-0",
                output: null))
        let living = try await Holder.start(masters: 1, temporary: scratch.path)
        try #require(living.serves, "\(living.line)")
        #expect(await left.waitForEnd() == .killed(signal: SIGKILL))
        let another = try await Holder.start(masters: 1, temporary: scratch.path)
        try #require(another.serves, "\(another.line)")
        #expect(!OtherProcess.waitForEnd(pid: living.serverPIDs[0], timeoutMilliseconds: 0))
        #expect(access(living.folder, F_OK) == 0)
        await living.kill()
        await another.kill()
    }

    @Test("a kept fleet survives its owner, and its folder is not taken twice")
    func kept() async throws {
        let scratch = try Scratch()
        let folder = "\(scratch.path)/kept"
        let holder = try await Holder.start(masters: 3, keep: folder, temporary: scratch.path)
        try #require(holder.serves, "\(holder.line)")
        await holder.kill()
        let cluster = try await RedisCluster.connect(to: RedisURL(holder.url))
        #expect(cluster.status.count == 3)
        cluster.close()
        let again = try await Holder.start(masters: 1, keep: folder, temporary: scratch.path)
        #expect(again.line.hasPrefix("error: ") && again.line.contains("holds a fleet already"))
        for pid in holder.serverPIDs {
            #expect(kill(pid, SIGKILL) == 0)
            #expect(OtherProcess.waitForEnd(pid: pid, timeoutMilliseconds: 5000))
        }
    }

    @Test("what is missing is said in one line")
    func missing() async throws {
        let scratch = try Scratch()
        let none = try await Holder.start(masters: 1, temporary: scratch.path, path: scratch.path)
        #expect(
            none.line == "error: redis-server is not installed; run `make demo` or `apt-get install redis-server`")

        let bin = scratch.makeFolder("bin")
        _ = try scratch.write(
            "#!/bin/sh\necho 'Redis server v=6.2.7 sha=0 bits=64'\n", to: "bin/redis-server", mode: 0o700)
        let old = try await Holder.start(masters: 1, temporary: scratch.path, path: bin)
        #expect(old.line.contains("is Redis 6.2.7; Sellout needs 7.0 or newer"))

        let file = try scratch.write("", to: "file")
        let unusable = try await Holder.start(masters: 1, temporary: "\(file)/below")
        #expect(unusable.line.contains("cannot use") && unusable.line.contains("set TMPDIR"))

        let open = scratch.makeFolder("open")
        mkdir("\(open)/sellout-\(getuid())", 0o777)
        chmod("\(open)/sellout-\(getuid())", 0o777)
        let exposed = try await Holder.start(masters: 1, temporary: open)
        #expect(exposed.line.contains("is not a private folder of yours"))
    }
}
