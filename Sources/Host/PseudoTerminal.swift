import CLinux
import Glibc

/// A terminal whose far end this process holds: what a program under it writes comes out here, what is written here it reads
/// as typed.
///
/// Reading is up to the caller: a terminal that nobody reads takes some 64 KiB and then blocks the program. One thread at a
/// time.
public final class PseudoTerminal: Sendable {
    /// What came of waiting for output.
    public enum Reading: Sendable, Equatable {
        case bytes([UInt8])
        /// Nothing within the time.
        case nothing
        /// The program has gone.
        case closed
    }

    /// The end that a program is started on; close it with ``closeProgramEnd()`` once that runs.
    public let programEnd: Int32
    private let ownEnd: Int32
    /// More than a screen of any size.
    private static let readBytesMax = 1 << 18

    /// - Throws: the system's reason where it has no pseudo-terminal left.
    public init(columns: Int, rows: Int) throws(HostError) {
        var (program, own): (Int32, Int32) = (-1, -1)
        guard sellout_open_terminal(&program, &own) == 0 else {
            throw HostError("cannot open a pseudo-terminal", errno: errno)
        }
        (programEnd, ownEnd) = (program, own)
        resize(columns, rows)
    }

    deinit { close(ownEnd) }

    /// Tells the kernel the size; whoever runs in the foreground gets SIGWINCH.
    public func resize(_ columns: Int, _ rows: Int) {
        var size = winsize(
            ws_row: UInt16(clamping: rows), ws_col: UInt16(clamping: columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(ownEnd, UInt(TIOCSWINSZ), &size)
    }

    /// After the program was started: its end of the terminal is then its alone, so that its end is seen here.
    public func closeProgramEnd() { close(programEnd) }

    /// Types bytes.
    public func type(_ bytes: some Collection<UInt8>) {
        let all = Array(bytes)
        var done = 0
        while done < all.count {
            let count = all[done...].withUnsafeBytes { write(ownEnd, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { return }
            done += max(0, count)
        }
    }

    public func type(_ text: String) { type(text.utf8) }

    /// Takes what the program has written, waiting at most this long for the first byte. Blocks the calling thread.
    public func read(within limit: Duration) -> Reading {
        var descriptor = pollfd(fd: ownEnd, events: Int16(POLLIN), revents: 0)
        let milliseconds = limit.components.seconds * 1_000 + limit.components.attoseconds / 1_000_000_000_000_000
        guard poll(&descriptor, 1, Int32(clamping: max(0, milliseconds))) > 0 else { return .nothing }
        var buffer = [UInt8](repeating: 0, count: Self.readBytesMax)
        let count = Glibc.read(ownEnd, &buffer, buffer.count)
        if count > 0 { return .bytes(Array(buffer[..<count])) }
        return count < 0 && errno == EINTR ? .nothing : .closed
    }
}
