import CHiredis

/// Turns bytes from a server into replies: hiredis's reader. Confined to one thread.
final class ReplyReader {
    enum Next {
        case reply(RedisReply)
        case needsMore
        /// The bytes are not Redis's protocol; nothing after them can be read.
        case failed(String)
    }

    private let reader: UnsafeMutablePointer<redisReader>

    init() {
        guard let reader = redisReaderCreate() else { preconditionFailure("out of memory") }
        self.reader = reader
    }

    deinit { redisReaderFree(reader) }

    func feed(_ bytes: UnsafeRawBufferPointer) {
        _ = redisReaderFeed(reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
    }

    func next() -> Next {
        var raw: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &raw) == REDIS_OK else {
            return .failed(
                withUnsafeBytes(of: reader.pointee.errstr) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        guard let raw else { return .needsMore }
        defer { freeReplyObject(raw) }
        return .reply(Self.convert(raw.assumingMemoryBound(to: redisReply.self)))
    }

    private static func convert(_ reply: UnsafeMutablePointer<redisReply>) -> RedisReply {
        switch reply.pointee.type {
        case REDIS_REPLY_INTEGER: .integer(reply.pointee.integer)
        case REDIS_REPLY_STRING: .bulk(Array(text(reply)))
        case REDIS_REPLY_STATUS: .status(String(decoding: text(reply), as: UTF8.self))
        case REDIS_REPLY_ERROR: .error(String(decoding: text(reply), as: UTF8.self))
        case REDIS_REPLY_ARRAY:
            .array((0..<Int(reply.pointee.elements)).map { convert(reply.pointee.element[$0]!) })
        default: .null
        }
    }

    private static func text(_ reply: UnsafeMutablePointer<redisReply>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reply.pointee.str, count: Int(reply.pointee.len))
    }
}
