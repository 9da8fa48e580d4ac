import Foundation

/// One artifact loaded in its runtime. Used by one task at a time: a session hands it its buffers.
public protocol Engine: AnyObject {
    /// What executes, as run records name it.
    var runtime: String { get }
    var runtimeVersion: String { get }
    /// The delegate that the runtime reports, or why it does not say.
    var delegateExecuted: TextReading { get }
    /// Nanoseconds of compiling the artifact for this device, or why there are none (a runtime that does not compile, a kept result).
    var compileNs: Reading { get }
    /// Which device the runtime plans for each op, where it says so.
    var opDevices: [OpDevice] { get }

    /// One inference, in the artifact's own order of tensors. Throws `BundleError`.
    func run(inputs: [TensorBuffer], outputs: [TensorBuffer]) throws
}

/// Loads a variant's artifact, whose hash was checked, from a file or directory. A protocol, because Swift 6.0 has no closures with
/// a `sending` result in a dictionary.
public protocol EngineFactory: Sendable {
    /// Throws `BundleError` when the runtime refuses it.
    func open(_ variant: Variant, _ artifact: URL) async throws -> sending any Engine
}
