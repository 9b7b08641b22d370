/// What `INFO` says, by field. Read by bytes: a screen asks for it every second, and characters cost ten times as much.
public struct RedisInfo: Sendable {
    private let fields: [Substring: Substring]

    public init(_ text: String) {
        var fields: [Substring: Substring] = [:]
        for line in text.utf8.split(whereSeparator: { $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            fields[Substring(line[..<colon])] = Substring(line[line.index(after: colon)...])
        }
        self.fields = fields
    }

    public subscript(name: Substring) -> Substring? { fields[name] }

    /// A field that is a whole number.
    public func int(_ name: Substring) -> Int64? { fields[name].flatMap { Int64($0) } }

    /// All fields whose names begin so, as those of replicas and databases do.
    public func values(of prefix: String) -> [Substring] {
        fields.filter { $0.key.hasPrefix(prefix) }.sorted { $0.key < $1.key }.map(\.value)
    }
}
