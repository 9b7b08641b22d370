/// Arguments in RESP, encoded as they are appended.
struct EncodedArguments: Sendable {
    private(set) var count = 0
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func append(_ argument: UnsafeRawBufferPointer) {
        beginArgument(argument.count)
        bytes.append(contentsOf: argument)
        appendLineEnd()
    }

    mutating func append(_ argument: String) {
        var argument = argument
        argument.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    mutating func append(_ argument: [UInt8]) {
        argument.withUnsafeBytes { append($0) }
    }

    /// Appends one argument of two parts.
    mutating func append(_ start: [UInt8], _ end: String) {
        var end = end
        end.withUTF8 { end in
            beginArgument(start.count + end.count)
            bytes.append(contentsOf: start)
            bytes.append(contentsOf: end)
            appendLineEnd()
        }
    }

    mutating func append(_ number: Int64) {
        // 20 bytes hold the longest: -9223372036854775808.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var start = 20
            var magnitude = number.magnitude
            repeat {
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude % 10)
                magnitude /= 10
            } while magnitude > 0
            if number < 0 {
                start -= 1
                digits[start] = UInt8(ascii: "-")
            }
            append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(digits)[start...]))
        }
    }

    mutating func append(byteCount: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
        beginArgument(byteCount)
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: byteCount))
        bytes.withUnsafeMutableBytes { write(UnsafeMutableRawBufferPointer(rebasing: $0[start...])) }
        appendLineEnd()
    }

    /// Appends arguments that are encoded already.
    mutating func append(encoded: ArraySlice<UInt8>, count: Int) {
        self.count += count
        bytes.append(contentsOf: encoded)
    }

    private mutating func beginArgument(_ length: Int) {
        count += 1
        bytes.append(UInt8(ascii: "$"))
        bytes.appendDecimal(length)
        appendLineEnd()
    }

    private mutating func appendLineEnd() {
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }
}

extension [UInt8] {
    /// Appends a number that is not negative.
    mutating func appendDecimal(_ number: Int) {
        if number >= 10 { appendDecimal(number / 10) }
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10))
    }
}

/// One command, encoded for the wire as it is built. Copying it copies no bytes.
public struct RedisCommand: Sendable {
    /// Arguments that go before `arguments`, encoded once and shared: a script's `EVALSHA <sha>`.
    let prefix: EncodedArguments?
    var arguments: EncodedArguments

    /// - Parameters:
    ///   - name: the command, such as `HSET`; one word.
    ///   - words: its first arguments.
    ///   - capacity: bytes to reserve for all that will be appended.
    public init(_ name: String, _ words: String..., capacity: Int = 64) {
        prefix = nil
        arguments = EncodedArguments(capacity: capacity)
        arguments.append(name)
        for word in words { arguments.append(word) }
    }

    init(prefix: EncodedArguments, arguments: EncodedArguments) {
        self.prefix = prefix
        self.arguments = arguments
    }

    public mutating func append(_ argument: [UInt8]) { arguments.append(argument) }
    public mutating func append(_ argument: String) { arguments.append(argument) }
    public mutating func append(_ argument: UnsafeRawBufferPointer) { arguments.append(argument) }
    /// Appends the number in decimal.
    public mutating func append(_ number: Int64) { arguments.append(number) }
    /// Appends the number in decimal.
    public mutating func append(_ number: Int) { arguments.append(Int64(number)) }
    /// Appends an argument of exactly `byteCount` bytes, zeroed, that `write` fills in place.
    public mutating func append(byteCount: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) {
        arguments.append(byteCount: byteCount, write)
    }

    /// Bytes on the wire, the array header not counted.
    var byteCount: Int { (prefix?.bytes.count ?? 0) + arguments.bytes.count }

    /// Appends the command as the server reads it.
    func encode(into output: inout [UInt8]) {
        output.append(UInt8(ascii: "*"))
        output.appendDecimal((prefix?.count ?? 0) + arguments.count)
        output.append(UInt8(ascii: "\r"))
        output.append(UInt8(ascii: "\n"))
        if let prefix { output.append(contentsOf: prefix.bytes) }
        output.append(contentsOf: arguments.bytes)
    }
}

extension EncodedArguments {
    /// The arguments as they were appended.
    var words: [[UInt8]] {
        var words: [[UInt8]] = []
        words.reserveCapacity(count)
        var position = 0
        while position < bytes.count {
            let word = argument(at: position)
            words.append(Array(bytes[word]))
            position = word.upperBound + 2
        }
        return words
    }

    /// Where the bytes of the argument lie whose encoding begins at `start`; two bytes behind them the next one begins.
    func argument(at start: Int) -> Range<Int> {
        var position = start + 1
        var length = 0
        while bytes[position] != UInt8(ascii: "\r") {
            length = length * 10 + Int(bytes[position] - UInt8(ascii: "0"))
            position += 1
        }
        return position + 2..<position + 2 + length
    }
}

extension RedisCommand {
    /// Name and arguments as bytes, for a port that is not the wire.
    public var words: [[UInt8]] { (prefix?.words ?? []) + arguments.words }
}

extension ScriptCall {
    /// The count of keys, the keys, the arguments, as bytes: what follows the hash in EVALSHA.
    public var words: [[UInt8]] { arguments.words }
}
