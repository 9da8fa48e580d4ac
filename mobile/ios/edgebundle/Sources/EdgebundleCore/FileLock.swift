import Foundation

/// A lock between processes on a file, which is made where it is not there. It ends with its last reference, or with
/// its process.
public final class FileLock: Sendable {
    private let descriptor: Int32

    /// Nil where another one, of this or another process, holds it, or where the file cannot be made.
    public init?(_ file: URL) {
        let opened = open(file.path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard opened >= 0 else { return nil }
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            close(opened)
            return nil
        }
        descriptor = opened
    }

    /// Makes the file one byte longer, and returns when that is on the disk.
    public func add() {
        _ = write(descriptor, "x", 1)
        fsync(descriptor)
    }

    deinit { close(descriptor) }
}
