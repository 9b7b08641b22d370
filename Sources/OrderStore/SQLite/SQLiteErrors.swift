import Foundation
import GRDB

/// An error and how far its transaction had come.
struct TransactionFailure: Error {
    enum Phase { case beginning, body, commit }
    let phase: Phase
    let underlying: any Error
}

/// SQLite's errors as the port tells them: outcome and one line.
enum SQLiteErrors {
    /// What to throw for `error`, met while doing something to the database at `path`; and whether nothing may be tried on
    /// this store again.
    static func describe(
        _ error: any Error, path: String, readOnly: Bool = false
    ) -> (error: OrderStoreError, isFatal: Bool) {
        var phase = TransactionFailure.Phase.body
        var cause = error
        if let failure = error as? TransactionFailure {
            phase = failure.phase
            cause = failure.underlying
        }
        if let known = cause as? OrderStoreError { return (known, false) }
        let name = printable(path)
        guard let database = cause as? DatabaseError else {
            return (
                OrderStoreError(
                    phase == .commit ? .unknown : .refused,
                    "order store \(name): \(cause); try again, and check the file"),
                false
            )
        }
        let code = database.extendedResultCode
        let primary = database.resultCode
        let reason = printable(database.message ?? primary.description)
        // A failed fsync may have dropped the pages it was to write: a second one would succeed and prove nothing.
        let isFatal =
            code == .SQLITE_IOERR_FSYNC || code == .SQLITE_IOERR_DIR_FSYNC || primary == .SQLITE_CORRUPT
            || primary == .SQLITE_NOTADB
        let outcome: OrderStoreError.Outcome = phase == .commit || primary == .SQLITE_IOERR ? .unknown : .refused
        let text: String
        switch primary {
        case .SQLITE_NOTADB:
            text = "\(name) is not a SQLite database; name another file for the orders"
        case .SQLITE_CORRUPT:
            text = "order store \(name) is damaged (\(reason)); stop, and restore it from a copy"
        case .SQLITE_FULL:
            text = "order store \(name): the disk is full; free space on it"
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            let holder = WriteLock.holder(ofDatabase: path).flatMap { $0.process == getpid() ? nil : $0 }
            let who = holder.map { "process \($0.process)" + ($0.name.map { " (\($0))" } ?? "") } ?? "another program"
            text = "order store \(name) is locked by \(who); end that one, then try again"
        case .SQLITE_CANTOPEN where readOnly, .SQLITE_READONLY where readOnly, .SQLITE_PERM where readOnly:
            // Its log is there, and what belongs to the log is not: only who may write beside the file can read both.
            text =
                "cannot read order store \(name) (\(reason)): look as the user who owns it, or let this one read the file and its "
                + "-wal and -shm, or write its folder"
        case .SQLITE_CANTOPEN, .SQLITE_PERM:
            text = "cannot open order store \(name) (\(reason)); name a file in a folder that exists and can be written"
        case .SQLITE_READONLY:
            text =
                "order store \(name) cannot be written (\(reason)); check the permissions of the file and its folder, "
                + "or only look (--read-only)"
        case .SQLITE_IOERR:
            text =
                isFatal
                ? "order store \(name): fsync failed, what is on the disk is uncertain; stop, check the disk, start again"
                : "order store \(name): the disk gave an I/O error (\(reason)); check the disk"
        default:
            text =
                "order store \(name): \(reason) (SQLite code \(code.rawValue)); check it with sqlite3's PRAGMA integrity_check"
        }
        return (OrderStoreError(outcome, text), isFatal)
    }

    /// `text` in one line and without control characters.
    static func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
            result.unicodeScalars.append(isControl ? "\u{fffd}" : scalar)
        }
        return result
    }
}
