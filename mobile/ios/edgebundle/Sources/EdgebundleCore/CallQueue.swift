import Foundation

/// One call at a time, in the order in which they were made (docs/sdk-rules.md, "Cancel"). One whose task is cancelled
/// while it waits ends at once, without its turn.
public final class CallQueue: @unchecked Sendable {
    private let lock = NSLock()
    private var isTaken = false
    private var given = 0
    private var waiting: [(number: Int, turn: CheckedContinuation<Void, any Error>)] = []

    public init() {}

    /// `work` when it is this call's turn. Throws `CancellationError` when the task was cancelled, even when the work
    /// had ended well.
    public func run<T: Sendable>(isolation: isolated (any Actor)? = #isolation, _ work: () async throws -> T)
        async throws -> T
    {
        try await begin()
        defer { end() }
        try Task.checkCancellation()
        let result = try await work()
        try Task.checkCancellation()
        return result
    }

    private func begin(isolation: isolated (any Actor)? = #isolation) async throws {
        let number = lock.withLock {
            given += 1
            return given
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { turn in enter(number, turn) }
        } onCancel: {
            leave(number)
        }
    }

    private func enter(_ number: Int, _ turn: CheckedContinuation<Void, any Error>) {
        lock.lock()
        // The handler of a task that was cancelled already has run before: it found nobody to wake.
        if Task.isCancelled {
            lock.unlock()
            return turn.resume(throwing: CancellationError())
        }
        if isTaken {
            waiting.append((number, turn))
            return lock.unlock()
        }
        isTaken = true
        lock.unlock()
        turn.resume()
    }

    private func leave(_ number: Int) {
        let left = lock.withLock { waiting.firstIndex { $0.number == number }.map { waiting.remove(at: $0) } }
        left?.turn.resume(throwing: CancellationError())
    }

    private func end() {
        let next: CheckedContinuation<Void, any Error>? = lock.withLock {
            if waiting.isEmpty {
                isTaken = false
                return nil
            }
            return waiting.removeFirst().turn
        }
        next?.resume()
    }
}
