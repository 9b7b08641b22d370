import Foundation

extension SQLiteOrderStore {
    public func writer() async -> StoreWriter? {
        guard case .file = place else { return nil }
        return WriteLock.holder(ofDatabase: path)
    }
}

/// Who holds the write lock of a SQLite database in WAL mode, by what the kernel tells of locks.
///
/// SQLite's lock is byte 120 of the `-shm` file. The file is not opened for this: closing it would let go of every lock that this process
/// has on it.
enum WriteLock {
    static let byte = "120"
    private static let locks = "/proc/locks"

    static func holder(ofDatabase path: String) -> StoreWriter? {
        var facts = stat()
        guard stat("\(path)-shm", &facts) == 0, let text = try? String(contentsOfFile: locks, encoding: .utf8),
            let pid = holder(in: text, inode: UInt64(facts.st_ino))
        else { return nil }
        let name = try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)
        return StoreWriter(
            process: pid, name: name.map { SQLiteErrors.printable($0.trimmingCharacters(in: .whitespacesAndNewlines)) })
    }

    /// Reads lines such as `3: POSIX  ADVISORY  WRITE 4123 fe:00:1310931 120 120`; whoever waits for a lock has `->` behind the number.
    static func holder(in locks: String, inode: UInt64) -> Int32? {
        for line in locks.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 8, words[3] == "WRITE", words[6] == byte, words[7] == byte,
                words[5].split(separator: ":").last.flatMap({ UInt64($0) }) == inode, let pid = Int32(words[4]), pid > 0
            else { continue }
            return pid
        }
        return nil
    }
}
