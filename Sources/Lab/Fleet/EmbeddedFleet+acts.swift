import Glibc
import Host
import Redis

/// What goes wrong with a server, or with what it holds.
extension EmbeddedFleet {
    // MARK: Its process

    /// Stops a server with SIGSTOP: its connections stay up, and nothing is answered.
    public func pause(_ index: Int) throws(FleetError) {
        let server = try server(index)
        guard server.isRunning else { throw FleetError(.misuse, "\(server.address) is down; nothing was stopped") }
        server.signal(SIGSTOP)
    }

    /// Lets a stopped server go on: it does at once what lay in its connections.
    public func resume(_ index: Int) throws(FleetError) { try server(index).signal(SIGCONT) }

    // MARK: Its append-only file

    /// Bytes of the newest part of a server's append-only file, which only grows while the server copies nobody; it needs
    /// `ServerOptions.appendOnly`.
    public func appendOnlyBytes(_ index: Int) throws(FleetError) -> Int {
        let path = try server(index).appendOnlyPath()
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw FleetError(.folder, "cannot look at \(path): \(HostError.reason(errno))")
        }
        return Int(status.st_size)
    }

    /// Cuts a killed server's append-only file to an earlier size, as a disk does that lost its last writes: it comes back with an
    /// older state.
    ///
    /// - Parameter bytes: at most what the file has; a change that the cut splits is lost whole.
    public func cutAppendOnly(_ index: Int, toBytes bytes: Int) throws(FleetError) {
        let server = try server(index)
        guard !server.isRunning else {
            throw FleetError(.misuse, "\(server.address) is up; crash it before its file is cut")
        }
        let present = try appendOnlyBytes(index)
        guard (0...present).contains(bytes) else {
            throw FleetError(.misuse, "the file has \(present) bytes and cannot be cut to \(bytes)")
        }
        let path = try server.appendOnlyPath()
        guard truncate(path, bytes) == 0 else {
            throw FleetError(.folder, "cannot cut \(path): \(HostError.reason(errno))")
        }
    }

    // MARK: What it holds

    /// FLUSHALL on a master.
    public func flushAll(_ index: Int) async throws(FleetError) { _ = try await server(index).tell("FLUSHALL", "SYNC") }

    /// SCRIPT FLUSH on a server.
    public func forgetScripts(_ index: Int) async throws(FleetError) {
        _ = try await server(index).tell("SCRIPT", "FLUSH", "SYNC")
    }

    /// DEL of one key on its master. Returns whether it was there.
    public func delete(key: String) async throws(FleetError) -> Bool {
        try await masterServer(ofKey: key).tell("DEL", key).int == 1
    }

    /// HDEL of one field on its key's master. Returns whether it was there.
    public func delete(field: [UInt8], ofKey key: String) async throws(FleetError) -> Bool {
        var command = RedisCommand("HDEL", key)
        command.append(field)
        return try await masterServer(ofKey: key).tell([command])[0].int == 1
    }

    private func masterServer(ofKey key: String) throws(FleetError) -> FleetServer {
        try server(master(ofShard: isCluster ? shard(ofSlot: HashSlot.of(key)) : 0))
    }
}
