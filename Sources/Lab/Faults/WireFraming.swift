/// Cuts a stream of Redis's protocol (RESP2) into whole requests, or into whole replies, without decoding more than it must.
///
/// A value: bytes go in as they arrive, messages come out when their last byte is there.
struct WireFraming {
    /// Not Redis's protocol; what has not been cut yet cannot be.
    struct Broken: Error {}

    private var buffer: [UInt8] = []
    private var start = 0

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: true)
            start = 0
        } else if start > 1 << 20 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole message; `nil` while its end is missing.
    mutating func next() throws(Broken) -> ArraySlice<UInt8>? {
        var position = start
        var open = 1
        while open > 0 {
            guard let (line, after) = line(at: position) else { return nil }
            guard let kind = line.first else { throw Broken() }
            position = after
            open -= 1
            switch kind {
            case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"): break
            case UInt8(ascii: "$"):
                let count = try Self.number(line.dropFirst())
                guard count >= 0 else { break }
                position += count + 2
                guard position <= buffer.count else { return nil }
            case UInt8(ascii: "*"): open += max(0, try Self.number(line.dropFirst()))
            default: throw Broken()
            }
        }
        defer { start = position }
        return buffer[start..<position]
    }

    /// Takes out what has come and is not cut yet.
    mutating func takeRest() -> ArraySlice<UInt8> {
        defer { start = buffer.count }
        return buffer[start...]
    }

    /// The arguments of a request that `next` returned.
    static func arguments(of request: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var arguments: [ArraySlice<UInt8>] = []
        // Behind `*<count>\r\n` come pairs of `$<bytes>\r\n` and the bytes.
        guard var position = request.firstIndex(of: UInt8(ascii: "\n")).map({ $0 + 1 }) else { return [] }
        while position < request.endIndex, let newline = request[position...].firstIndex(of: UInt8(ascii: "\n")),
            let count = try? number(request[(position + 1)..<(newline - 1)]), count >= 0,
            newline + 1 + count <= request.endIndex
        {
            arguments.append(request[(newline + 1)..<(newline + 1 + count)])
            position = newline + 1 + count + 2
        }
        return arguments
    }

    /// The line at `position` without its end, and where the next one begins.
    private func line(at position: Int) -> (line: ArraySlice<UInt8>, after: Int)? {
        guard position < buffer.count, let newline = buffer[position...].firstIndex(of: UInt8(ascii: "\n")) else {
            return nil
        }
        return (buffer[position..<max(position, newline - 1)], newline + 1)
    }

    private static func number(_ digits: ArraySlice<UInt8>) throws(Broken) -> Int {
        guard let number = Int(String(decoding: digits, as: UTF8.self)) else { throw Broken() }
        return number
    }
}
