/// The slot of a key in a Redis Cluster.
public enum HashSlot {
    /// Slots of every cluster.
    public static let count = 16384

    /// CRC16/XMODEM of the key modulo 16384, or of what stands between its first `{` and the next `}` when that is not
    /// empty (the hash tag). Redis Cluster specification, "Hash tags".
    public static func of(_ key: String) -> Int {
        var key = key
        return key.withUTF8 { of(UnsafeRawBufferPointer($0)) }
    }

    public static func of(_ key: [UInt8]) -> Int {
        key.withUnsafeBytes { of($0) }
    }

    public static func of(_ key: UnsafeRawBufferPointer) -> Int {
        Int(crc16(hashed(key))) & (count - 1)
    }

    /// The part of a key that decides its slot.
    private static func hashed(_ key: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer> {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")),
            let close = key[(open + 1)...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
        else { return key[...] }
        return key[(open + 1)..<close]
    }

    private static func crc16(_ bytes: Slice<UnsafeRawBufferPointer>) -> UInt16 {
        var crc: UInt16 = 0
        for byte in bytes {
            crc = (crc << 8) ^ table[Int(UInt8(truncatingIfNeeded: crc >> 8) ^ byte)]
        }
        return crc
    }

    /// Polynomial 0x1021, initial value 0, not reflected.
    private static let table: [UInt16] = (0..<256).map { index in
        var crc = UInt16(index) << 8
        for _ in 0..<8 {
            crc = crc & 0x8000 != 0 ? (crc << 1) ^ 0x1021 : crc << 1
        }
        return crc
    }
}
