import Glibc
import Host

/// The redis-server of this machine.
struct ServerBinary: Sendable {
    let path: String
    let version: String

    /// Finds redis-server in PATH and asks it for its version.
    static func find() async throws(FleetError) -> ServerBinary {
        let folders = (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin").split(separator: ":")
        guard
            let path = folders.lazy.map({ "\($0)/redis-server" as String }).first(where: {
                access($0 as String, X_OK) == 0
            })
        else {
            throw FleetError(
                .redisMissing,
                "redis-server is not installed; run `make demo` or `apt-get install redis-server`")
        }
        let text = try await versionText(path)
        // Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=…
        let version = text.split(separator: " ").first { $0.hasPrefix("v=") }.map { String($0.dropFirst(2)) }
        guard let version, let major = version.split(separator: ".").first.flatMap({ Int($0) }) else {
            throw FleetError(.redisMissing, "\(path) does not say its version; is it Redis?")
        }
        guard major >= 7 else {
            throw FleetError(
                .redisTooOld,
                "\(path) is Redis \(version); Sellout needs 7.0 or newer: install it, or put a newer one first in PATH")
        }
        return ServerBinary(path: path, version: version)
    }

    private static func versionText(_ path: String) async throws(FleetError) -> String {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw FleetError(.died, "cannot make a pipe: \(HostError.reason(errno))") }
        defer { close(ends[0]) }
        do {
            defer { close(ends[1]) }
            let child = try await ChildProcess.start(
                .init(executable: path, arguments: ["--version"], directory: "/", output: ends[1]))
            await child.waitForEnd()
        } catch {
            throw FleetError(.redisMissing, error.message)
        }
        // The line is far smaller than the pipe's buffer, and the writer is gone: this does not block.
        return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let count = read(ends[0], buffer.baseAddress, buffer.count)
            return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        }
    }
}
