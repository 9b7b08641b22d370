import CLinux
import Foundation
import Glibc

/// What this process weighs.
public enum ProcessMemory {
    /// Bytes that it holds in memory now.
    ///
    /// - Parameter trimming: give back to the system first what was freed.
    public static func residentBytes(trimming: Bool = true) -> Int {
        if trimming { malloc_trim(0) }
        let words = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return words.count > 1 ? (Int(words[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }

    /// The most bytes that it has held in memory so far; 0: the system does not say.
    public static func peakBytes() -> Int {
        let lines = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8))?.split(separator: "\n") ?? []
        guard let line = lines.first(where: { $0.hasPrefix("VmHWM:") }) else { return 0 }
        return (Int(line.filter(\.isNumber)) ?? 0) * 1_024
    }
}
