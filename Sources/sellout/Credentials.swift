import Foundation
import Glibc
import Redis

/// Who we are at a Redis: never from the command line, which every process list shows.
///
/// The user: the address's, else `--redis-user` (or SELLOUT_REDIS_USER). The password: the address's where it comes from the
/// environment or a file that is private, else SELLOUT_REDIS_PASSWORD, else `--redis-password-file`, else a prompt.
struct Credentials {
    var user: String?
    var passwordFile: String?
    var environment: [String: String] = ProcessInfo.processInfo.environment

    struct Problem: Error, CustomStringConvertible { let description: String }

    /// Longest password, in bytes.
    static let bytesMax = 4_096

    /// The address with user and password, as far as they are known without asking anybody.
    /// - Throws: where the file cannot be used, or a user is named and nobody could be asked for the password.
    func complete(_ url: RedisURL) throws -> RedisURL {
        let name = url.user ?? user.flatMap { $0.isEmpty ? nil : $0 }
        if url.password != nil { return RedisURL(address: url.address, user: name, password: url.password) }
        if let password = environment["SELLOUT_REDIS_PASSWORD"], !password.isEmpty {
            return RedisURL(address: url.address, user: name, password: password)
        }
        if let passwordFile {
            return RedisURL(address: url.address, user: name, password: try PasswordFile.read(passwordFile))
        }
        let known = RedisURL(address: url.address, user: name, password: nil)
        // Without a password nobody would log in, and the default user would be used in silence.
        guard name != nil else { return known }
        guard PasswordPrompt.isPossible else { throw Problem(description: Self.wanted(by: known)) }
        return RedisURL(address: url.address, user: name, password: try PasswordPrompt.ask(for: known))
    }

    static func wanted(by url: RedisURL) -> String {
        let who = url.user.map { " for \(PlainText.line($0))" } ?? ""
        return
            "\(url.address) wants a password\(who): set SELLOUT_REDIS_PASSWORD, or name a private file with --redis-password-file"
    }
}

/// Asks on the terminal, without echo.
enum PasswordPrompt {
    /// Somebody sits at a terminal.
    static var isPossible: Bool { isatty(0) == 1 && isatty(2) == 1 }

    struct Cancelled: Error, CustomStringConvertible {
        var description: String { "no password was given; type it, or set SELLOUT_REDIS_PASSWORD" }
    }

    /// - Throws: when the person gives up (Ctrl-C, Ctrl-D), or the task is cancelled.
    static func ask(for url: RedisURL) throws -> String {
        let who = url.user.map { "\(PlainText.line($0)) at " } ?? ""
        var before = termios()
        guard tcgetattr(0, &before) == 0 else { throw Cancelled() }
        var silent = before
        // Signals are keys here: whoever interrupts must not leave a terminal without echo behind.
        silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        guard tcsetattr(0, TCSAFLUSH, &silent) == 0 else { throw Cancelled() }
        // Only now: who answers the question at once must find a terminal that is silent already.
        FileHandle.standardError.write(Data("Password of \(who)\(url.address): ".utf8))
        defer {
            tcsetattr(0, TCSAFLUSH, &before)
            FileHandle.standardError.write(Data("\n".utf8))
        }
        var bytes: [UInt8] = []
        while true {
            if Task.isCancelled { throw Cancelled() }
            var waiting = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 200) > 0 else { continue }
            var byte: UInt8 = 0
            guard read(0, &byte, 1) == 1 else { throw Cancelled() }
            switch byte {
            case 10, 13:
                guard !bytes.isEmpty, let text = String(validating: bytes, as: UTF8.self) else { throw Cancelled() }
                return text
            case 3, 4, 28: throw Cancelled()
            case 8, 127:
                // A character may be several bytes.
                while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
            case 21: bytes = []
            default: if bytes.count < Credentials.bytesMax { bytes.append(byte) }
            }
        }
    }
}
