import Glibc
import Host
import Testing

/// A FleetHolder process, and what it said.
struct Holder {
    let process: ChildProcess
    /// The first line it printed.
    let line: String

    var words: [String] { line.split(separator: " ").map(String.init) }
    var serves: Bool { line.hasPrefix("serving ") }
    var url: String { words[1] }
    var folder: String { words[2] }
    var serverPIDs: [Int32] { words.dropFirst(3).compactMap { Int32($0) } }

    static func start(
        masters: Int, replicas: Int = 0, keep: String? = nil, temporary: String, path: String? = nil
    ) async throws -> Holder {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let process: ChildProcess
        do {
            defer { close(ends[1]) }
            let path = path ?? String(cString: getenv("PATH"))
            process = try await ChildProcess.start(
                .init(
                    executable: try executable(),
                    arguments: [replicas == 0 ? "\(masters)" : "\(masters)+\(replicas)"] + (keep.map { [$0] } ?? []),
                    environment: ["PATH=\(path)", "TMPDIR=\(temporary)"], directory: "/", output: ends[1]))
        }
        let descriptor = ends[0]
        let line = await withCheckedContinuation { (continuation: CheckedContinuation<String, Never>) in
            let started: Void? = try? OSThread.start(name: "holder-output") {
                var bytes: [UInt8] = []
                var byte: UInt8 = 0
                while read(descriptor, &byte, 1) == 1, byte != UInt8(ascii: "\n") { bytes.append(byte) }
                continuation.resume(returning: String(decoding: bytes, as: UTF8.self))
            }
            if started == nil { continuation.resume(returning: "") }
        }
        return Holder(process: process, line: line)
    }

    /// SIGKILL to the holder alone.
    func kill() async {
        process.kill(SIGKILL)
        await process.waitForEnd()
    }

    /// Beside the running test bundle.
    private static func executable() throws -> String {
        let path = try #require(realpath("/proc/self/exe", nil))
        defer { free(path) }
        let text = String(cString: path)
        // Where the tests run inside a helper of the toolchain, the bundle is its argument.
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? text
        let folder = (text.hasSuffix(".xctest") ? text : bundle).split(separator: "/").dropLast()
        let candidate = "/" + folder.joined(separator: "/") + "/FleetHolder"
        try #require(access(candidate, X_OK) == 0, "no FleetHolder beside the tests: \(candidate)")
        return candidate
    }
}

/// A folder of a test's own.
struct Scratch: ~Copyable {
    let path: String

    init() throws {
        var template = Array("/tmp/sellout-test-XXXXXX".utf8CString)
        let made = try #require(mkdtemp(&template))
        path = String(cString: made)
    }

    deinit { Self.remove(path) }

    func makeFolder(_ name: String) -> String {
        mkdir("\(path)/\(name)", 0o700)
        return "\(path)/\(name)"
    }

    func write(_ text: String, to name: String, mode: mode_t = 0o600) throws -> String {
        let file = "\(path)/\(name)"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, mode)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        return file
    }

    static func entries(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func remove(_ path: String) {
        if unlink(path) == 0 { return }
        for name in entries(path) { remove("\(path)/\(name)") }
        rmdir(path)
    }
}
