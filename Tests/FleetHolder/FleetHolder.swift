import Glibc
import Lab

/// Starts a fleet, says so in one line, and holds it until it is killed.
///
/// `FleetHolder MASTERS [FOLDER]`: with FOLDER the fleet is kept. Prints `serving URL FOLDER PID…`, or `error: …`.
@main
enum FleetHolder {
    static func main() async {
        setvbuf(stdout, nil, _IONBF, 0)
        let arguments = CommandLine.arguments
        let configuration = EmbeddedFleet.Configuration(
            masters: arguments.count > 1 ? Int(arguments[1]) ?? 1 : 1,
            keepFolder: arguments.count > 2 ? arguments[2] : nil)
        do throws(FleetError) {
            let fleet = try await EmbeddedFleet.start(configuration)
            let pids = fleet.nodes.map { String($0.pid) }.joined(separator: " ")
            print("serving \(fleet.url) \(fleet.folderPath) \(pids)")
            while true { try? await Task.sleep(for: .seconds(3600)) }
        } catch {
            print("error: \(error)")
            exit(2)
        }
    }
}
