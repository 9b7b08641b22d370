public import Redis

/// Every script of the wire contract, loaded on every master.
///
/// A script is put together from the `.lua` files embedded in the binary: the fence first, then the states in which it may
/// write, then its body.
public struct Scripts: Sendable {
    public let deduct: LoadedScript
    public let release: LoadedScript
    /// release.lua, which leaves what is taken alone.
    public let forbid: LoadedScript
    public let restock: LoadedScript
    public let state: LoadedScript
    public let repair: LoadedScript
    public let archive: LoadedScript
    public let cut: LoadedScript
    public let expiring: LoadedScript
    public let standing: LoadedScript
    public let close: LoadedScript
    public let rebuild: LoadedScript
    public let open: LoadedScript

    /// All of them.
    public var all: [LoadedScript] {
        [
            deduct, release, forbid, restock, state, repair, archive, cut, expiring, standing, close, rebuild, open,
        ]
    }

    /// Loads all scripts.
    public static func load(on cluster: any RedisPort) async throws(RedisError) -> Scripts {
        let orders = text(PackageResources.orders_lua)
        let inEveryState = "open = true, halted = true, closed = true"
        return Scripts(
            deduct: try await load("deduct", deductBody, on: cluster),
            release: try await load(
                "release",
                guarding(inEveryState) + "local keepsTaken = false\n" + orders + text(PackageResources.release_lua),
                on: cluster),
            forbid: try await load(
                "forbid",
                guarding(inEveryState) + "local keepsTaken = true\n" + orders + text(PackageResources.release_lua),
                on: cluster),
            restock: try await load(
                "restock", guarding(inEveryState) + text(PackageResources.restock_lua), on: cluster),
            state: try await load("state", guarding(inEveryState) + text(PackageResources.state_lua), on: cluster),
            repair: try await load("repair", guarding(inEveryState) + text(PackageResources.repair_lua), on: cluster),
            archive: try await load(
                "archive", guarding(inEveryState) + text(PackageResources.archive_lua), on: cluster),
            cut: try await load("cut", text(PackageResources.cut_lua), on: cluster),
            expiring: try await load("expiring", text(PackageResources.expiring_lua), on: cluster),
            standing: try await load("standing", text(PackageResources.standing_lua), on: cluster),
            close: try await load("close", text(PackageResources.close_lua), on: cluster),
            rebuild: try await load("rebuild", text(PackageResources.rebuild_lua), on: cluster),
            open: try await load("open", text(PackageResources.open_lua), on: cluster))
    }

    /// The whole text of deduct.lua, for who measures it with another program.
    public static var deductSource: String { text(PackageResources.fence_lua) + "\n" + deductBody }

    private static var deductBody: String {
        guarding("open = true") + text(PackageResources.orders_lua) + text(PackageResources.deduct_lua)
    }

    private static func load(
        _ name: String, _ body: String, on cluster: any RedisPort
    ) async throws(RedisError) -> LoadedScript {
        try await cluster.load(RedisScript(name: name, source: text(PackageResources.fence_lua) + "\n" + body))
    }

    private static func guarding(_ states: String) -> String {
        """
        local n, watermark = pass({\(states)})
        if not n then return watermark end

        """
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
