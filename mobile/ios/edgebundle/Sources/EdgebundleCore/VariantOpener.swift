import Foundation

/// Opens the first variant that works here: hash, load, goldens. Whatever one of them throws leads to the next
/// (docs/sdk-rules.md, "What was tried"). Opens of a process come one after the other, so that none sees another's
/// mark.
public struct VariantOpener: Sendable {
    private static let turns = CallQueue()
    /// So many starts in a row that end the app are not the user's doing.
    private static let mostDeaths = 3
    private let loader: ModelLoader
    private let memory: any VariantMemory

    public init(_ loader: ModelLoader, memory: any VariantMemory = NoMemory()) {
        (self.loader, self.memory) = (loader, memory)
    }

    /// Tries the variants in this order, and tells `passedOver` of each that was not taken once it is known which one
    /// is. Throws `BundleError` with all of them when none does, and `CancellationError` when the task is cancelled.
    public func first(_ order: [Variant], passedOver: (Tried) -> Void) async throws -> sending Session {
        // A session is handed out of the queue's turn by a box: it belongs to nobody else.
        try await Self.turns.run { Handed(try await tryAll(order, passedOver)) }.session
    }

    /// What an engineer should know beside what was passed over.
    public var notes: [String] {
        known.isEmpty ? ["the bundle carries no golden, so nothing was checked on this device."] : []
    }

    private var known: Set<String> { Set(loader.manifest.goldens.flatMap { $0.expected.map(\.variant) }) }

    private func tryAll(_ order: [Variant], _ passedOver: (Tried) -> Void) async throws -> sending Session {
        var tried: [Tried] = []
        // What ended the app before comes last: it may have been the user who ended it, and a bundle may have nothing
        // else.
        let died = order.filter { $0.isAccelerated && memory.deaths($0) > 0 }
        let again = died.filter { memory.deaths($0) < Self.mostDeaths }
        for variant in order.filter({ one in !died.contains { $0.id == one.id } }) + again {
            do {
                try Task.checkCancellation()
                let session = try await opened(variant)
                let others = died.filter { one in one.id != variant.id && !tried.contains { $0.variant == one.id } }
                for reason in tried + others.map(Self.death) { passedOver(reason) }
                return session
            } catch let error as CancellationError {
                throw error
            } catch {
                tried.append(Tried(variant: variant.id, reason: error.localizedDescription))
            }
        }
        tried += died.filter { one in !again.contains { $0.id == one.id } }.map(Self.death)
        for reason in tried { passedOver(reason) }
        throw BundleError("no variant of the bundle works on this device.\(reasons(tried))", tried: tried)
    }

    private static func death(_ variant: Variant) -> Tried {
        Tried(
            variant: variant.id,
            reason:
                "the app ended while it was loaded at an earlier start; it is tried again when no other one works, or after an update."
        )
    }

    private func reasons(_ tried: [Tried]) -> String {
        if !tried.isEmpty { return tried.map { " \($0)" }.joined() }
        let all = loader.manifest.variants.map(\.id).joined(separator: ", ")
        return " It has \(all.isEmpty ? "none" : all), and this app carries other runtimes or the system is older."
    }

    private func opened(_ variant: Variant) async throws -> sending Session {
        if !variant.isAccelerated { return try await checked(variant) }
        let mark = memory.mark(variant)
        defer { withExtendedLifetime(mark) { memory.unmark(variant) } }
        return try await checked(variant)
    }

    private func checked(_ variant: Variant) async throws -> sending Session {
        if !known.isEmpty && !known.contains(variant.id) {
            throw BundleError(
                "no golden of the bundle speaks of it, so nobody knows whether it is right here; package the bundle again."
            )
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
