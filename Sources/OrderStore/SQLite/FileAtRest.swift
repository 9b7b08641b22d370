import Foundation
import GRDB
import Synchronization

/// A database file that nobody has open for writing, as it was found: no write-ahead log lies beside it.
///
/// Reading a database in WAL mode asks for two files beside it, and where they are not there SQLite makes them. Whoever may read the file
/// and not write its folder could not look at it at all then. A file at rest needs neither: it is read as one that does not change, as
/// long as it surely does not. Whoever opens it to write makes a log before anything else, and keeps it until the file is whole again.
struct FileAtRest: Sendable, Hashable {
    private let path: String
    private let inode: UInt64
    private let size: Int64
    private let changedNanoseconds: Int64

    /// `nil`: it is not at rest, or not there.
    init?(path: String) {
        var facts = stat()
        guard access("\(path)-wal", F_OK) != 0, access("\(path)-journal", F_OK) != 0, stat(path, &facts) == 0 else {
            return nil
        }
        self.path = path
        inode = UInt64(facts.st_ino)
        size = Int64(facts.st_size)
        changedNanoseconds = Int64(facts.st_mtim.tv_sec) * 1_000_000_000 + Int64(facts.st_mtim.tv_nsec)
    }

    /// Whether it is the same file as it was, still at rest: what was read since is then true.
    var isUnchanged: Bool { FileAtRest(path: path) == self }

    /// As SQLite is told to take no locks and no log.
    var url: String {
        let allowed = CharacterSet.urlPathAllowed.subtracting(CharacterSet(charactersIn: "?#%"))
        return "file:\(path.addingPercentEncoding(withAllowedCharacters: allowed) ?? path)?immutable=1"
    }
}

/// The connections to one file. Those to a file at rest make way for others as soon as somebody writes in it.
final class PoolInUse: Sendable {
    private struct State {
        var pool: DatabasePool
        var rest: FileAtRest?
    }

    private let state: Mutex<State>
    private let reopen: @Sendable () throws -> (DatabasePool, FileAtRest?)

    /// - Parameters:
    ///   - rest: what the pool rests on; `nil`: SQLite's own locks.
    ///   - reopen: opens the same file anew.
    init(
        _ pool: DatabasePool, rest: FileAtRest?, reopen: @escaping @Sendable () throws -> (DatabasePool, FileAtRest?)
    ) {
        state = Mutex(State(pool: pool, rest: rest))
        self.reopen = reopen
    }

    var pool: DatabasePool { state.withLock { $0.pool } }

    /// The pool to read from now, and what it rests on.
    func current() throws -> (pool: DatabasePool, rest: FileAtRest?) {
        try state.withLock { state in
            if let rest = state.rest, !rest.isUnchanged {
                // Whoever still reads through the old one keeps it until then.
                (state.pool, state.rest) = try reopen()
            }
            return (state.pool, state.rest)
        }
    }
}
