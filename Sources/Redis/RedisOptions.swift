/// Limits and times of connections. Every queue and every retry has its limit here.
public struct RedisOptions: Sendable {
    /// How long making a connection may take, and how long a command waits for a server that is down.
    public var connectTimeout: Duration = .seconds(1)
    /// How long a server may say nothing at all, while an answer is late, before its connection is given up.
    public var silenceMax: Duration = .seconds(1)
    /// The pause before the first attempt to connect again; it doubles up to `backoffMax`.
    public var backoffMin: Duration = .milliseconds(10)
    public var backoffMax: Duration = .milliseconds(200)
    /// Commands that may wait on one connection, sent or not; more are `notSent`, `overloaded`.
    public var outstandingCommandsMax = 262_144
    /// Bytes of such commands.
    public var outstandingBytesMax = 512 << 20
    /// MOVED and ASK that one command follows.
    public var redirectsMax = 5
    /// What `CLIENT LIST` shows; no spaces. Empty: not told.
    public var clientName = "sellout"
    /// Whether a command waits for a server that is down; if not, it is `notSent` with the next failed attempt to connect.
    public var waitsWhileDown = true
    /// Older servers are refused. A sale needs 7; who only looks is content with less.
    public var majorVersionMin = 7

    public init() {}
}
