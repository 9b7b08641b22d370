import Foundation

/// The file that was opened, told from another one at its path: what is committed to a file that was deleted or replaced dies with
/// the last process that has it open, and nobody else sees it.
struct FileIdentity: Sendable {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// `nil`: there is no file at `path`.
    init?(path: String) {
        guard let found = Self.find(path) else { return nil }
        self.path = path
        (device, inode) = found
    }

    /// One system call, about a microsecond: cheap beside a commit.
    var isInPlace: Bool {
        guard let found = Self.find(path) else { return false }
        return found == (device, inode)
    }

    private static func find(_ path: String) -> (dev_t, ino_t)? {
        var facts = stat()
        return stat(path, &facts) == 0 ? (facts.st_dev, facts.st_ino) : nil
    }
}
