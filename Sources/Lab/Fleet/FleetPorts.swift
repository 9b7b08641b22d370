import Glibc
import Synchronization

/// Free ports of the loopback interface, reserved within this process.
///
/// They lie below the range from which the kernel takes ports for outgoing connections, so that none of those gets in the
/// way, and below 55536, above which a Redis Cluster has no bus port.
enum FleetPorts {
    private static let range = 10_000...32_000
    private static let triesMax = 500
    private static let reserved = Mutex<Set<Int>>([])

    /// - Throws: `.noFreePort`.
    static func reserve(_ count: Int) throws(FleetError) -> [Int] {
        var ports: [Int] = []
        for _ in 0..<triesMax where ports.count < count {
            let port = Int.random(in: range)
            guard reserved.withLock({ $0.insert(port).inserted }) else { continue }
            if isFree(port) { ports.append(port) } else { release([port]) }
        }
        guard ports.count == count else {
            release(ports)
            throw FleetError(
                .noFreePort, "found no \(count) free ports from \(range.lowerBound) to \(range.upperBound) on 127.0.0.1"
            )
        }
        return ports
    }

    static func release(_ ports: [Int]) {
        reserved.withLock { $0.subtract(ports) }
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // As redis-server does: a port whose last connections are still fading away is free.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
