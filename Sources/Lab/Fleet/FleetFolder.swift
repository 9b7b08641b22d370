import Glibc
import Host

/// The private folder of a fleet, and the lock that says its owner lives.
///
/// Temporary folders lie in `${TMPDIR:-/tmp}/sellout-<uid>/`. Their owner holds an flock that the kernel drops with the
/// process, whatever ends it: a folder whose lock can be had is dead, and the next start sweeps it.
final class FleetFolder: Sendable {
    private static let prefix = "fleet-"
    private static let lockName = "lock"
    private static let readBytesMax = 256 << 10
    /// How long another start or sweep may hold the common folder.
    private static let lockWaitMillisecondsMax = 10_000

    let path: String
    private let isTemporary: Bool
    private let lock: Int32

    private init(path: String, isTemporary: Bool, lock: Int32) {
        self.path = path
        self.isTemporary = isTemporary
        self.lock = lock
    }

    deinit { close(lock) }

    /// Sweeps dead folders, then makes a new one (mode 0700) and locks it. Blocks.
    static func makeTemporary() throws(FleetError) -> FleetFolder {
        let base = baseFolder
        try makePrivateFolder(base)
        // One start at a time: between mkdir and lock, a sweep would take the new folder for a dead one.
        let baseLock = try openLock("\(base)/\(lockName)", waitMilliseconds: lockWaitMillisecondsMax)
        defer { close(baseLock) }
        sweep(base)
        let path = "\(base)/\(prefix)\(getpid())-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
        try makePrivateFolder(path)
        return FleetFolder(
            path: path, isTemporary: true, lock: try openLock("\(path)/\(lockName)", waitMilliseconds: 0))
    }

    /// Takes a folder that the user named: made if it is absent (0700); it may hold other things, but no fleet. Blocks.
    static func take(_ path: String) throws(FleetError) -> FleetFolder {
        let advice = "name another folder to keep it in"
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw unusable(path, errno, advice) }
        guard let absolute = realpath(path, nil) else { throw unusable(path, errno, advice) }
        defer { free(absolute) }
        let folder = String(cString: absolute)
        let lock = try openLock("\(folder)/\(lockName)", waitMilliseconds: 0)
        guard access("\(folder)/\(nodeName(0))", F_OK) != 0 else {
            close(lock)
            throw FleetError(.folder, "\(folder) holds a fleet already; name another folder, or remove that one")
        }
        return FleetFolder(path: folder, isTemporary: false, lock: lock)
    }

    static func nodeName(_ index: Int) -> String { "redis-\(index)" }

    /// Makes the folder of a server.
    func makeNodeFolder(_ index: Int) throws(FleetError) -> String {
        let folder = "\(path)/\(Self.nodeName(index))"
        if mkdir(folder, 0o700) != 0, errno != EEXIST { throw Self.unusable(folder, errno) }
        return folder
    }

    /// Removes the whole folder if it is a temporary one; of another one, the folders of `servers`.
    func remove(servers: Int) {
        if isTemporary {
            Self.removeTree(path)
        } else {
            for index in 0..<servers { Self.removeTree("\(path)/\(Self.nodeName(index))") }
            unlink("\(path)/\(Self.lockName)")
        }
    }

    static func write(_ text: String, to path: String) throws(FleetError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw unusable(path, errno) }
        defer { close(descriptor) }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw unusable(path, errno) }
            bytes.removeFirst(count)
        }
    }

    /// What a small file holds; `nil` where it cannot be read.
    static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: readBytesMax, alignment: 1) { buffer in
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    // MARK: Sweeping

    /// Kills what servers are left in folders whose owner is dead, and removes the folders. The common lock is held.
    private static func sweep(_ base: String) {
        for name in entries(of: base) where name.hasPrefix(prefix) {
            let folder = "\(base)/\(name)"
            guard let lock = try? openLock("\(folder)/\(lockName)", waitMilliseconds: 0) else { continue }
            for pid in servers(in: folder) {
                kill(pid, SIGKILL)
                _ = OtherProcess.waitForEnd(pid: pid, timeoutMilliseconds: 2000)
            }
            removeTree(folder)
            close(lock)
        }
    }

    /// Running redis-servers whose working directory lies in a folder. Looking at where processes are, not at recorded
    /// process ids, never takes a stranger's process for ours, nor misses one that was not recorded yet.
    private static func servers(in folder: String) -> [Int32] {
        guard let resolved = realpath(folder, nil) else { return [] }
        defer { free(resolved) }
        let inside = String(cString: resolved) + "/"
        return entries(of: "/proc").compactMap { Int32($0) }.filter { pid in
            guard let directory = linkTarget("/proc/\(pid)/cwd"), directory.hasPrefix(inside) else { return false }
            return linkTarget("/proc/\(pid)/exe")?.contains("redis") ?? false
        }
    }

    private static func linkTarget(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            let count = readlink(path, buffer.baseAddress!, buffer.count)
            guard count > 0 else { return nil }
            return String(decoding: UnsafeRawBufferPointer(buffer)[..<count], as: UTF8.self)
        }
    }

    static func entries(of folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
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

    private static func removeTree(_ path: String) {
        if unlink(path) == 0 || errno == ENOENT { return }
        for name in entries(of: path) { removeTree("\(path)/\(name)") }
        rmdir(path)
    }

    // MARK: Making

    private static var baseFolder: String {
        let temporary = getenv("TMPDIR").map { String(cString: $0) } ?? ""
        return "\(temporary.isEmpty ? "/tmp" : temporary)/sellout-\(getuid())"
    }

    private static func makePrivateFolder(_ path: String) throws(FleetError) {
        if mkdir(path, 0o700) == 0 { return }
        guard errno == EEXIST else { throw unusable(path, errno) }
        // In a folder that everyone may write to, a stranger may have made it first.
        var status = stat()
        guard lstat(path, &status) == 0 else { throw unusable(path, errno) }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == getuid(), status.st_mode & 0o077 == 0 else {
            throw FleetError(
                .folder, "\(path) exists but is not a private folder of yours (0700); remove it, or set TMPDIR")
        }
    }

    private static func openLock(_ path: String, waitMilliseconds: Int) throws(FleetError) -> Int32 {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw unusable(path, errno) }
        var waited = 0
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let reason = errno
            guard reason == EWOULDBLOCK || reason == EINTR, waited < waitMilliseconds else {
                close(descriptor)
                throw reason == EWOULDBLOCK
                    ? FleetError(.folder, "\(path) is locked by another Sellout; end that one, or name another folder")
                    : unusable(path, reason)
            }
            usleep(5000)
            waited += 5
        }
        return descriptor
    }

    private static func unusable(_ path: String, _ reason: Int32, _ other: String? = nil) -> FleetError {
        let advice =
            other
            ?? (reason == ENOSPC
                ? "free some space, or set TMPDIR to another disk" : "set TMPDIR to a folder that you can write to")
        return FleetError(.folder, "cannot use \(path): \(HostError.reason(reason)); \(advice)")
    }
}
