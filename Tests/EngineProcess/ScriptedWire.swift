import Deduction
import Lab
import Redis
import Synchronization

/// The wire to Redis, on which the process may die before a request leaves, after it left, or after it was answered.
struct ScriptedWire {
    let proxy: WireProxy
    private let names = Names()

    init(to address: RedisAddress, death: DeathStep) throws {
        var hooks = WireProxy.Hooks()
        hooks.onRequest = { [names] request in
            death.reached("asked \(names.name(of: request))")
            return .pass
        }
        hooks.onSent = { [names] request in death.reached("sent \(names.name(of: request))") }
        hooks.onReply = { [names] request, _ in
            death.reached("answered \(names.name(of: request))")
            return .pass
        }
        proxy = try WireProxy(to: address, hooks: hooks)
    }

    /// From now on a script's calls go by its name; until then, and for plain commands, by the command's.
    func know(_ scripts: Scripts) {
        names.bySHA.withLock { names in
            for script in [
                scripts.deduct, scripts.release, scripts.cut, scripts.close, scripts.rebuild, scripts.open,
                scripts.restock, scripts.forbid,
            ] {
                names[script.sha] = script.name
            }
        }
    }

    private final class Names: Sendable {
        let bySHA = Mutex<[String: String]>([:])

        func name(of request: WireProxy.Request) -> String {
            let command = request.text(0)
            guard command == "EVALSHA" else { return command.lowercased() }
            let sha = request.text(1)
            return bySHA.withLock { $0[sha] } ?? command.lowercased()
        }
    }
}
