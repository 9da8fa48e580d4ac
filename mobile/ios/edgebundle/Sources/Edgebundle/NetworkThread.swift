import Foundation

/// A thread for a network that computes: an inference takes long, and Swift's own few threads are for what does not.
final class NetworkThread: SerialExecutor {
    private let queue = DispatchQueue(label: "edgebundle", qos: .userInitiated, autoreleaseFrequency: .workItem)

    func enqueue(_ job: UnownedJob) { queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) } }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
}
