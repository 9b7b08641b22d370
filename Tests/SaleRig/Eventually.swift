/// What did not come about in time.
public struct NeverHappened: Error, CustomStringConvertible {
    public let description: String
}

/// Waits for something that another process or task brings about: asks again and again until `condition` holds.
///
/// The limit says what it takes on a quiet machine. Machines of others stand still for seconds: six times that is waited.
///
/// - Throws: `NeverHappened`.
public func eventually(
    _ what: String, within limit: Duration = .seconds(10), _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + limit * 6
    while try await !condition() {
        guard clock.now < deadline else { throw NeverHappened(description: "after \(limit): \(what)") }
        try await clock.sleep(for: .milliseconds(2))
    }
}
