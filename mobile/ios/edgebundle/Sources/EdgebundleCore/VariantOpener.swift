import Foundation

/// Opens the first variant that works here: hash, load, goldens. Whatever one of them throws leads to the next (docs/sdk-rules.md, "What
/// was tried"). Opens of a process come one after the other, so that none sees another's mark.
public struct VariantOpener: Sendable {
    private static let turns = CallQueue()
    private let loader: ModelLoader
    private let memory: any VariantMemory

    public init(_ loader: ModelLoader, memory: any VariantMemory = NoMemory()) {
        (self.loader, self.memory) = (loader, memory)
    }

    /// Tries the variants in this order, telling `passedOver` of each that does not work. Throws `BundleError` with all of them when
    /// none does, and `CancellationError` when the task is cancelled.
    public func first(_ order: [Variant], passedOver: (Tried) -> Void) async throws -> sending Session {
        // A session is handed out of the queue's turn by a box: it belongs to nobody else.
        try await Self.turns.run { Handed(try await tryAll(order, passedOver)) }.session
    }

    /// What an engineer should know beside what was passed over.
    public var notes: [String] { known.isEmpty ? ["the bundle carries no golden, so nothing was checked on this device."] : [] }

    private var known: Set<String> { Set(loader.manifest.goldens.flatMap { $0.expected.map(\.variant) }) }

    private func tryAll(_ order: [Variant], _ passedOver: (Tried) -> Void) async throws -> sending Session {
        var tried: [Tried] = []
        for variant in order {
            do {
                try Task.checkCancellation()
                return try await opened(variant)
            } catch let error as CancellationError {
                throw error
            } catch {
                tried.append(Tried(variant: variant.id, reason: error.localizedDescription))
                passedOver(tried[tried.count - 1])
            }
        }
        throw BundleError("no variant of the bundle works on this device.\(reasons(tried))", tried: tried)
    }

    private func reasons(_ tried: [Tried]) -> String {
        if !tried.isEmpty { return tried.map { " \($0)" }.joined() }
        let all = loader.manifest.variants.map(\.id).joined(separator: ", ")
        return " It has \(all.isEmpty ? "none" : all), and this app carries other runtimes or the system is older."
    }

    private func opened(_ variant: Variant) async throws -> sending Session {
        if !variant.isAccelerated { return try await checked(variant) }
        if memory.isMarked(variant) {
            throw BundleError("the app ended while it was loaded at an earlier start; it is tried again after an update of the app or the system.")
        }
        let mark = memory.mark(variant)
        defer { withExtendedLifetime(mark) { memory.unmark(variant) } }
        return try await checked(variant)
    }

    private func checked(_ variant: Variant) async throws -> sending Session {
        if !known.isEmpty && !known.contains(variant.id) {
            throw BundleError("no golden of the bundle speaks of it, so nobody knows whether it is right here; package the bundle again.")
        }
        let session = try await loader.load(variant)
        let own = loader.manifest.goldens(of: variant)
        if own.isEmpty || memory.hasPassed(variant) {
            try session.run()  // it warms up, and a delegate may fail as late as here
            return session
        }
        for golden in own {
            let result = try loader.goldens.run(session, golden)
            if !result.passed { throw BundleError("it fails golden '\(golden.id)' (\(result.inWords)).") }
        }
        memory.setPassed(variant)
        return session
    }
}

/// Carries a session from one task's turn to its caller, who is then its only owner.
private struct Handed: @unchecked Sendable {
    let session: Session

    init(_ session: sending Session) {
        self.session = session
    }
}
