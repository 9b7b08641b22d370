import Foundation
import Glibc
import Host
import Testing

/// A private folder of one scenario: the program's TMPDIR and HOME lie in it, so that whatever it leaves behind shows.
final class Scratch: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/sellout-test-XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template))
        path = String(cString: made)
        mkdir(temporary, 0o700)
        // What its shells read when they start: a prompt that the root user has as well.
        _ = try write("PS1='ready> '\n", to: "shell")
    }

    deinit {
        // What a failed scenario left running in this folder goes with it, and only that.
        for pid in servers { kill(pid, SIGKILL) }
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The program's TMPDIR.
    var temporary: String { "\(path)/tmp" }

    /// What the program sees: nothing of the machine's own settings.
    func environment(_ extra: [String: String?] = [:]) throws -> [String] {
        var all: [String: String] = [
            "PATH": "\(try Program.folder):/usr/bin:/bin", "HOME": path, "TMPDIR": temporary, "LANG": "C.UTF-8",
            "COLORTERM": "truecolor", "TZ": "UTC", "ENV": "\(path)/shell", "USER": "tester",
        ]
        for (name, value) in extra { all[name] = value }
        return all.map { "\($0.key)=\($0.value)" }
    }

    func write(_ text: String, to name: String, executable: Bool = false) throws -> String {
        let file = "\(path)/\(name)"
        let folder = (file as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        if executable { chmod(file, 0o700) }
        return file
    }

    func read(_ name: String) -> String { (try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)) ?? "" }

    /// redis-servers that run anywhere below this folder.
    var servers: [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { pid in
            let proc = "/proc/\(pid)"
            guard let folder = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(proc)/cwd"),
                folder.hasPrefix(path + "/")
            else { return false }
            return (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(proc)/exe"))?.contains("redis")
                ?? false
        }
    }

    /// What lies in the temporary folder, apart from the lock that starts share.
    var leftovers: [String] {
        let found = FileManager.default.enumerator(atPath: temporary)?.allObjects as? [String] ?? []
        let own = "sellout-\(getuid())"
        return found.filter { $0 != own && $0 != "\(own)/lock" }.sorted()
    }

    /// Nothing runs and nothing lies about any more.
    func expectNothingLeft(_ location: SourceLocation = #_sourceLocation) async throws {
        try await eventually(within: .seconds(5)) { self.servers.isEmpty && self.leftovers.isEmpty }
        #expect(servers == [], sourceLocation: location)
        #expect(leftovers == [], sourceLocation: location)
    }
}

/// How much longer than its limit anything is waited for. The limits say what this takes on a quiet machine; machines of others
/// stand still for seconds, and no test of ours is about speed.
let patience = 6

/// Looks again and again until it holds or `patience` times `limit` is over; returns whether it held.
@discardableResult
func eventually(within limit: Duration, _ holds: () async throws -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + limit * patience
    while true {
        if try await holds() { return true }
        if ContinuousClock.now >= deadline { return false }
        try await Task.sleep(for: .milliseconds(20))
    }
}
