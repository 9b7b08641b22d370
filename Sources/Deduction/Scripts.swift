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

    /// The texts of all scripts by their names, without the fence.
    private static var bodies: [(name: String, body: String)] {
        let orders = text(PackageResources.orders_lua)
        let inEveryState = "open = true, halted = true, closed = true"
        func release(keepsTaken: Bool) -> String {
            guarding(inEveryState) + "local keepsTaken = \(keepsTaken)\n" + orders + text(PackageResources.release_lua)
        }
        return [
            ("deduct", deductBody), ("release", release(keepsTaken: false)), ("forbid", release(keepsTaken: true)),
            ("restock", guarding(inEveryState) + text(PackageResources.restock_lua)),
            ("state", guarding(inEveryState) + text(PackageResources.state_lua)),
            ("repair", guarding(inEveryState) + text(PackageResources.repair_lua)),
            ("archive", guarding(inEveryState) + text(PackageResources.archive_lua)),
            ("cut", text(PackageResources.cut_lua)), ("expiring", text(PackageResources.expiring_lua)),
            ("standing", text(PackageResources.standing_lua)), ("close", text(PackageResources.close_lua)),
            ("rebuild", text(PackageResources.rebuild_lua)), ("open", text(PackageResources.open_lua)),
        ]
    }

    /// All scripts by their hashes, with nobody asked: who brakes has no time to load them, and a server that lacks one gets its
    /// source with the call. See `LoadedScript`.
    public static var unloaded: Scripts {
        var all: [String: LoadedScript] = [:]
        for (name, body) in bodies { all[name] = LoadedScript(unloaded: script(name, body)) }
        return Scripts(all)
    }

    /// Loads all scripts, at once: where a server does not answer, all together wait for it as long as one would.
    public static func load(on cluster: any RedisPort) async throws(RedisError) -> Scripts {
        let all = await withTaskGroup(of: (String, Result<LoadedScript, RedisError>).self) { group in
            for (name, body) in bodies {
                group.addTask {
                    let result = await attempt(name, body, on: cluster)
                    return (name, result)
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        var loaded: [String: LoadedScript] = [:]
        for (name, result) in all { loaded[name] = try result.get() }
        return Scripts(loaded)
    }

    /// - Parameter all: every name of `bodies`.
    private init(_ all: [String: LoadedScript]) {
        func named(_ name: String) -> LoadedScript {
            guard let script = all[name] else { preconditionFailure("there is no script \(name)") }
            return script
        }
        deduct = named("deduct")
        release = named("release")
        forbid = named("forbid")
        restock = named("restock")
        state = named("state")
        repair = named("repair")
        archive = named("archive")
        cut = named("cut")
        expiring = named("expiring")
        standing = named("standing")
        close = named("close")
        rebuild = named("rebuild")
        open = named("open")
    }

    private static func script(_ name: String, _ body: String) -> RedisScript {
        RedisScript(name: name, source: text(PackageResources.fence_lua) + "\n" + body)
    }

    /// The whole text of deduct.lua, for who measures it with another program.
    public static var deductSource: String { text(PackageResources.fence_lua) + "\n" + deductBody }

    private static var deductBody: String {
        guarding("open = true") + text(PackageResources.orders_lua) + text(PackageResources.deduct_lua)
    }

    private static func attempt(
        _ name: String, _ body: String, on cluster: any RedisPort
    ) async -> Result<LoadedScript, RedisError> {
        do {
            let loaded = try await cluster.load(script(name, body))
            return .success(loaded)
        } catch { return .failure(error) }
    }

    private static func guarding(_ states: String) -> String {
        """
        local n, watermark = pass({\(states)})
        if not n then return watermark end

        """
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
