import Operations
import OrderStore
import Redis

/// A bug put in on purpose, to see whether the rig finds it: an altered script text, a decorator before a port, or another
/// policy value. Production types know nothing of it.
public struct Plant: Sendable {
    public let name: String
    /// What it breaks, in one sentence.
    public let breaks: String
    /// How it is made, in one sentence.
    public let means: String
    /// No bug.
    static let nothing = Plant(name: "nothing", breaks: "nothing", means: "nothing")

    /// The text of a script by its name, as the process with the bug loads it.
    var script: @Sendable (_ name: String, _ source: String) -> String = { _, source in source }
    var redis: @Sendable (any RedisPort) -> any RedisPort = { $0 }
    var store: @Sendable (any OrderStore) -> any OrderStore = { $0 }
    var options: @Sendable (inout SaleService.Options) -> Void = { _ in }
    /// Changes a world so that the bug has a chance to show within few seeds.
    var scenario: @Sendable (inout Scenario) -> Void = { _ in }
}
