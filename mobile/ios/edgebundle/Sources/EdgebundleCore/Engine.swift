import Foundation

/// One artifact loaded in its runtime. Used by one task at a time: a session hands it its buffers.
public protocol Engine: AnyObject {
    /// What executes, as run records name it.
    var runtime: String { get }
    var runtimeVersion: String { get }
    /// Nanoseconds of compiling the artifact for this device, or why there are none (a runtime that does not compile, a
    /// kept result).
    var compileNs: Reading { get }
    /// Asks the runtime what executes the artifact. May take as long as loading it did: ask only when somebody wants to
    /// know.
    var execution: @Sendable () async -> Execution { get }

    /// One inference, in the artifact's own order of tensors. Throws `BundleError`.
    func run(inputs: [TensorBuffer], outputs: [TensorBuffer]) throws
}

/// What executes an artifact, as its runtime says.
public struct Execution: Sendable, Equatable {
    /// The delegate that the runtime reports, or why it does not say.
    public let delegate: TextReading
    /// Which device the runtime plans for each op, empty where it does not say.
    public let ops: [OpDevice]

    public init(delegate: TextReading, ops: [OpDevice] = []) {
        (self.delegate, self.ops) = (delegate, ops)
    }
}

/// Loads a variant's artifact, whose hash was checked, from a file or directory. A protocol, because Swift 6.0 has no
/// closures with a `sending` result in a dictionary.
public protocol EngineFactory: Sendable {
    /// Throws when the runtime refuses it: the next variant is tried then.
    func open(_ variant: Variant, _ artifact: URL) async throws -> sending any Engine
}
