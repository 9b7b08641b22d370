import Foundation
import Inventory
import Redis

/// The servers on which one run of the bench measures, each started when the first row asks for it, and a folder for books.
///
/// Almost everything happens on one single server; rows that need a replica or three masters get servers of their own, which
/// are idle otherwise.
actor BenchBed {
    enum Place: Hashable, Sendable {
        case single, replicated, cluster
    }

    private var fleets: [Place: EmbeddedFleet] = [:]
    private var folder: String?
    private var files = 0

    /// Version of the redis-server that is measured.
    private(set) var serverVersion = ""

    func fleet(_ place: Place) async throws -> EmbeddedFleet {
        if let fleet = fleets[place] { return fleet }
        let fleet =
            switch place {
            case .single: try await EmbeddedFleet.start(.init(masters: 1))
            case .replicated: try await EmbeddedFleet.start(.init(masters: 1, replicas: 1))
            case .cluster: try await EmbeddedFleet.start(.init(masters: 3))
            }
        serverVersion = fleet.version
        fleets[place] = fleet
        return fleet
    }

    /// A connection to empty servers that keep, or do not keep, an append-only file.
    func emptied(_ place: Place, appendOnly: ServerOptions.AppendOnly = .off) async throws -> RedisCluster {
        let cluster = try await RedisCluster.connect(to: RedisURL(try await fleet(place).url))
        let isOn = appendOnly != .off
        try await onEach(cluster, RedisCommand("FLUSHALL", "SYNC"))
        if isOn { try await onEach(cluster, RedisCommand("CONFIG", "SET", "appendfsync", appendOnly.rawValue)) }
        try await onEach(cluster, RedisCommand("CONFIG", "SET", "appendonly", isOn ? "yes" : "no"))
        // Turned on, the file is written anew first.
        while isOn, !(try await info(cluster, "persistence").allSatisfy(Self.isWritten)) {
            try await Task.sleep(for: .milliseconds(5))
        }
        return cluster
    }

    private static func isWritten(_ persistence: [String: String]) -> Bool {
        persistence["aof_enabled"] == "1" && persistence["aof_rewrite_in_progress"] == "0"
            && persistence["aof_rewrite_scheduled"] == "0"
    }

    /// A path for books that nobody used before.
    func newFile() throws -> String {
        let folder = try self.folder ?? Self.makeFolder()
        self.folder = folder
        files += 1
        return "\(folder)/books-\(files).sqlite"
    }

    /// On a disk: what is measured may be its speed.
    private static func makeFolder() throws -> String {
        let path = FileManager.default.temporaryDirectory.path + "/sellout-bench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        return path
    }

    /// Frees the disk of books that were measured.
    func removeFile(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    }

    func stop() async {
        for fleet in fleets.values { await fleet.stop() }
        fleets = [:]
        if let folder { try? FileManager.default.removeItem(atPath: folder) }
        folder = nil
    }

    private func onEach(_ cluster: RedisCluster, _ command: RedisCommand) async throws {
        for answer in await cluster.onEachMaster(command, deadline: .now + .seconds(20)) { _ = try answer.result.get() }
    }

    private func info(_ cluster: RedisCluster, _ section: String) async throws -> [[String: String]] {
        try await ServerReading.info(cluster, section)
    }
}

/// What servers say of themselves.
enum ServerReading {
    /// The fields of a section of INFO, of every master.
    static func info(_ cluster: RedisCluster, _ section: String) async throws -> [[String: String]] {
        var all: [[String: String]] = []
        for answer in await cluster.onEachMaster(RedisCommand("INFO", section), deadline: .now + .seconds(20)) {
            var fields: [String: String] = [:]
            for line in (try answer.result.get().string ?? "").split(whereSeparator: \.isNewline) {
                let parts = line.split(separator: ":", maxSplits: 1)
                if parts.count == 2 { fields[String(parts[0])] = String(parts[1]) }
            }
            all.append(fields)
        }
        return all
    }

    /// Processor time that all masters have used, in microseconds.
    static func processorMicroseconds(_ cluster: RedisCluster) async throws -> Double {
        try await info(cluster, "cpu").reduce(0) { sum, fields in
            sum + ["used_cpu_user", "used_cpu_sys"].reduce(0) { $0 + (Double(fields[$1] ?? "") ?? 0) * 1e6 }
        }
    }
}
