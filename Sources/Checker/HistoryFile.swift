public import Foundation
import Synchronization

/// Appends events to a file in the order in which they are added: buffered, whole lines only.
///
/// What was added and not flushed is lost with the process; what stands in the file counts once its line is complete.
public final class HistoryWriter: Sendable {
    private static let bufferBytesMax = 64 << 10

    public struct CannotWrite: Error, CustomStringConvertible {
        public let path: String
        public let reason: String
        public var description: String { "cannot write the history \(path): \(reason)" }
    }

    private struct State {
        var buffer: [UInt8] = []
        var descriptor: Int32
        var failure: String?
        var count = 0
    }

    public let path: String
    private let state: Mutex<State>

    /// Opens `path` for appending. What a writer that died left of its last line is ended first, so that it harms no other.
    public init(path: String) throws(CannotWrite) {
        self.path = path
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CannotWrite(path: path, reason: String(cString: strerror(errno))) }
        var state = State(descriptor: descriptor)
        let size = lseek(descriptor, 0, SEEK_END)
        var last = UInt8(ascii: "\n")
        if size > 0, pread(descriptor, &last, 1, size - 1) == 1, last != UInt8(ascii: "\n") {
            state.buffer.append(UInt8(ascii: "\n"))
        }
        self.state = Mutex(state)
    }

    deinit {
        let descriptor = state.withLock { $0.descriptor }
        if descriptor >= 0 { Foundation.close(descriptor) }
    }

    /// Adds one event.
    public func add(_ event: HistoryEvent) {
        state.withLock { state in
            event.appendLine(to: &state.buffer)
            state.count += 1
            if state.buffer.count >= Self.bufferBytesMax { Self.flush(&state) }
        }
    }

    /// Hands everything to the system.
    public func flush() { state.withLock { Self.flush(&$0) } }

    /// Events added.
    public var count: Int { state.withLock { $0.count } }

    /// Why the file is not whole; `nil` while it is.
    public var failure: String? { state.withLock { $0.failure } }

    /// Flushes and closes. What is added later is dropped.
    public func close() {
        state.withLock { state in
            Self.flush(&state)
            if state.descriptor >= 0 { Foundation.close(state.descriptor) }
            state.descriptor = -1
        }
    }

    private static func flush(_ state: inout State) {
        var sent = 0
        while sent < state.buffer.count, state.descriptor >= 0 {
            let written = state.buffer.withUnsafeBytes {
                Foundation.write(state.descriptor, $0.baseAddress! + sent, $0.count - sent)
            }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else {
                state.failure = String(cString: strerror(errno))
                break
            }
            sent += written
        }
        state.buffer.removeAll(keepingCapacity: true)
    }
}

/// Events in the order of their file, and what stands between them that is none.
public struct History: Sendable {
    public var events: [HistoryEvent]
    /// Lines that could not be read; the torn last line, which its writer died in, is not among them.
    public var unreadable: Int

    public init(events: [HistoryEvent] = [], unreadable: Int = 0) {
        self.events = events
        self.unreadable = unreadable
    }

    /// Reads a file of JSON lines.
    ///
    /// - Throws: what the system says of a file that cannot be read.
    public static func read(path: String) throws -> History {
        History(lines: try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe))
    }

    /// Reads JSON lines. A line without its end does not count.
    public init(lines data: Data) {
        self.init()
        let decoder = JSONDecoder()
        var start = data.startIndex
        while let end = data[start...].firstIndex(of: UInt8(ascii: "\n")) {
            if end > start {
                if let event = try? decoder.decode(HistoryEvent.self, from: data[start..<end]) {
                    events.append(event)
                } else {
                    unreadable += 1
                }
            }
            start = end + 1
        }
    }
}
