import Glibc
import Lab

/// Starts a fleet, says so in one line, and holds it until it is killed.
///
/// `FleetHolder MASTERS[+REPLICAS] [FOLDER]`: with REPLICAS of each master the fleet is proxied too, with FOLDER it is kept. Prints `serving URL FOLDER PID…`, or `error: …`.
@main
enum FleetHolder {
    static func main() async {
        let arguments = CommandLine.arguments
        let counts = arguments.count > 1 ? arguments[1].split(separator: "+").compactMap { Int($0) } : []
        let keepFolder = arguments.count > 2 ? arguments[2] : nil
        let configuration = EmbeddedFleet.Configuration(
            masters: counts.first ?? 1, replicas: counts.count > 1 ? counts[1] : 0,
            isProxied: counts.count > 1 && keepFolder == nil, keepFolder: keepFolder)
        do throws(FleetError) {
            let fleet = try await EmbeddedFleet.start(configuration)
            let pids = fleet.nodes.map { String($0.pid) }.joined(separator: " ")
            say("serving \(fleet.url) \(fleet.folderPath) \(pids)")
            while true { try? await Task.sleep(for: .seconds(3600)) }
        } catch {
            say("error: \(error)")
            exit(2)
        }
    }

    /// Straight to the descriptor: a pipe would keep a printed line in its buffer.
    private static func say(_ line: String) {
        let bytes = Array("\(line)\n".utf8)
        _ = write(1, bytes, bytes.count)
    }
}
