import CLinux
import Foundation
import Glibc

/// What this process weighs.
public enum ProcessMemory {
    /// Bytes that it holds in memory now; what it has freed is given back to the system first.
    public static func residentBytes() -> Int {
        malloc_trim(0)
        let words = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return words.count > 1 ? (Int(words[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}
