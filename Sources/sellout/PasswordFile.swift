import Foundation
import Glibc

/// A password that lies in a file: only its owner may read it, else it is no secret.
enum PasswordFile {
    /// Larger than any password.
    private static let bytesMax = 4_096

    struct Problem: Error, CustomStringConvertible { let description: String }

    /// The file's first line.
    static func read(_ path: String) throws -> String {
        func problem(_ why: String) -> Problem {
            let wanted = "name a file of mode 600, yours, whose first line is the password"
            return Problem(description: "password file \(PlainText.line(path)): \(why); \(wanted)")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw problem(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        // Of the open file: what lies under the name may change meanwhile.
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw problem("is not a file")
        }
        guard status.st_uid == geteuid() || status.st_uid == 0 else { throw problem("belongs to somebody else") }
        guard status.st_mode & 0o077 == 0 else { throw problem("others may read it (chmod 600 mends that)") }
        var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw problem(String(cString: strerror(errno))) }
        guard count <= bytesMax else { throw problem("is larger than 4 KiB") }
        let line = bytes[..<count].prefix { $0 != 0x0A && $0 != 0x0D }
        guard !line.isEmpty else { throw problem("is empty") }
        return String(decoding: line, as: UTF8.self)
    }
}
