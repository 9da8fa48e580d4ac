import Foundation

/// What is made once and kept on disk under a name of its content (docs/sdk-rules.md, "Two opens at once"): compiled
/// models.
///
/// A kept file or folder is complete or absent, whatever interrupts its making. One is made at a time in a process.
public struct KeptFiles: Sendable {
    private static let turns = CallQueue()
    private let folder: URL
    private let wait: Duration

    /// `wait` is how long another process may take before this one makes its own.
    public init(in folder: URL, wait: Duration = .seconds(60)) {
        (self.folder, self.wait) = (folder, wait)
    }

    /// The place of `name`, and how many nanoseconds it took to make it, nil where it was there. `make` gives the place
    /// of what it made, which is moved. Throws what `make` throws, and the system's errors.
    public func url(_ name: String, make: @Sendable () async throws -> URL) async throws -> (url: URL, tookNs: UInt64?)
    {
        let kept = folder.appendingPathComponent(name)
        if exists(kept) { return (kept, nil) }
        return try await Self.turns.run {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let lock = try await lock(name)
            defer { withExtendedLifetime(lock) {} }
            if exists(kept) { return (kept, nil) }
            let start = monotonicNs()
            let made = try await make()
            let elapsed = monotonicNs() - start
            try publish(made, kept)
            return (kept, elapsed)
        }
    }

    /// Takes a kept file away: it cannot be used.
    public func remove(_ name: String) { try? FileManager.default.removeItem(at: folder.appendingPathComponent(name)) }

    /// Nil when another process held it too long.
    private func lock(_ name: String) async throws -> FileLock? {
        let file = folder.appendingPathComponent("\(name).lock")
        let end = ContinuousClock.now + wait
        while true {
            if let lock = FileLock(file) { return lock }
            if ContinuousClock.now >= end { return nil }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Moves it to this folder first: only a rename inside one folder is whole or nothing.
    private func publish(_ made: URL, _ kept: URL) throws {
        let own = folder.appendingPathComponent(".\(UUID().uuidString)")
        try FileManager.default.moveItem(at: made, to: own)
        if rename(own.path, kept.path) != 0 {
            let problem = String(cString: strerror(errno))
            try? FileManager.default.removeItem(at: own)
            // who finds the name taken drops its own
            if !exists(kept) { throw BundleError("\(kept.lastPathComponent) cannot be kept (\(problem)); free space.") }
        }
    }

    private func exists(_ url: URL) -> Bool { FileManager.default.fileExists(atPath: url.path) }
}
