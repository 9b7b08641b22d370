import Glibc
public import Inventory

/// What was asked of engines and what they answered, kept in a file that survives them: a line before each question, a line
/// after each answer, each handed to the system at once.
///
/// `invoke FLOW SKU*QUANTITY…` · `ok FLOW` · `fail FLOW REFUSAL` · `info FLOW UNCERTAINTY` · `again FLOW yes|no` (what a flow that
/// was told yes hears later) · `paying FLOW yes|no` · `paid FLOW RESULT` · `cancelling FLOW` · `cancelled FLOW RESULT`
public struct EngineHistory: Sendable {
    /// One order, as far as its buyer knows.
    public struct Entry: Sendable {
        public let flow: FlowID
        public let lines: [OrderLine]
        public var toldYes = 0
        public var refusal: String?
        /// What it heard when it was asked again after a yes.
        public var again: [String] = []
        /// Whether a payment was reported, and whether it had arrived.
        public var payment: Bool?
        public var paid: String?
        public var cancelling = false
        public var cancelled: String?

        /// Its first question has a final answer.
        public var isDecided: Bool { toldYes > 0 || refusal != nil }
        /// It was told yes, and nobody asked to undo it.
        public var mustStand: Bool { toldYes > 0 && !cancelling && payment != false }
        /// Its buyer asked to undo it, or was told no, and has heard so.
        public var mustNotStand: Bool {
            refusal != nil || cancelled == "cancelled" || (payment == false && paid != nil)
        }
    }

    /// In the order in which they were first asked.
    public private(set) var entries: [Entry] = []
    private var positions: [FlowID: Int] = [:]

    public init() {}

    /// Reads a history; a line without its end (its writer died in it) and a missing file count as nothing.
    public static func read(_ path: String) -> EngineHistory {
        var history = EngineHistory()
        guard let file = fopen(path, "r") else { return history }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
            history.take(String(decoding: line, as: UTF8.self))
        }
        return history
    }

    private mutating func take(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        guard words.count >= 2, let flow = FlowID(words[1]) else { return }
        if words[0] == "invoke" {
            guard positions[flow] == nil else { return }
            positions[flow] = entries.count
            entries.append(Entry(flow: flow, lines: words.dropFirst(2).compactMap(Self.line)))
            return
        }
        guard let position = positions[flow] else { return }
        let word = words.count > 2 ? words[2] : ""
        switch words[0] {
        case "ok": entries[position].toldYes += 1
        case "fail": entries[position].refusal = word
        case "again": entries[position].again.append(word)
        case "paying": entries[position].payment = word == "yes"
        case "paid": entries[position].paid = word
        case "cancelling": entries[position].cancelling = true
        case "cancelled": entries[position].cancelled = word
        default: break
        }
    }

    /// An order's lines as `invoke` writes them.
    public static func text(of lines: [OrderLine]) -> String {
        lines.map { "\($0.sku.rawValue)*\($0.quantity)" }.joined(separator: " ")
    }

    private static func line(_ text: String) -> OrderLine? {
        let parts = text.split(separator: "*")
        guard parts.count == 2, let sku = Int32(parts[0]), let quantity = Int32(parts[1]) else { return nil }
        return OrderLine(sku: SKUNumber(rawValue: sku), quantity: quantity)
    }
}

/// Appends to a history, and says the same on standard output.
public struct HistoryWriter: Sendable {
    private let descriptor: Int32

    /// `nil` if the file cannot be written.
    public init?(path: String) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard descriptor >= 0 else { return nil }
    }

    /// One line, in one write: what a process said before it was killed stays said.
    public func add(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        _ = write(descriptor, bytes, bytes.count)
        _ = write(1, bytes, bytes.count)
    }
}
