import Glibc

/// Swift orders its dictionaries and sets anew in each process, unless the environment forbids it when the process starts.
public enum ReproducibleHashing {
    private static let name = "SWIFT_DETERMINISTIC_HASHING"

    public static var isOn: Bool { getenv(name) != nil }

    /// Starts this very program again, with the same arguments and reproducible hashing, in the place of this process; returns
    /// where that is on already.
    ///
    /// Call it before there is anything to lose: threads, children, unwritten output.
    public static func require() throws(HostError) {
        guard !isOn else { return }
        setenv(name, "1", 1)
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard readlink("/proc/self/exe", &path, path.count - 1) > 0 else {
            throw HostError("cannot find this program's file", errno: errno)
        }
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        execv(path, &arguments)
        throw HostError("cannot start this program again", errno: errno)
    }
}
