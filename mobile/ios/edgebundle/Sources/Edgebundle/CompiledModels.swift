#if canImport(CoreML)
    import CoreML
    import Foundation

    /// Models compiled on this device: made once for each artifact and system, complete or absent, whatever interrupts it.
    enum CompiledModels {
        /// The compiled model, and how long compiling took or why it took no time. Throws `BundleError`.
        static func url(_ variant: Variant, _ artifact: URL) async throws -> (url: URL, compileNs: Reading) {
            if let carried = BundleLocation.compiled(variant) {
                return (carried, .missing("ns", "the app carries the compiled model"))
            }
            do {
                let kept = try keptUrl(variant)
                if FileManager.default.fileExists(atPath: kept.path) {
                    return (kept, .missing("ns", "it was compiled by an earlier run"))
                }
                let start = monotonicNs()
                let made = try await MLModel.compileModel(at: artifact)
                let elapsed = monotonicNs() - start
                try FileManager.default.createDirectory(at: kept.deletingLastPathComponent(), withIntermediateDirectories: true)
                try FileManager.default.moveItem(at: made, to: kept)
                return (kept, .of(Double(elapsed), "ns"))
            } catch {
                throw BundleError(
                    "Core ML cannot compile \(variant.file) of variant '\(variant.id)' (\(error.localizedDescription)); free space, or convert it for an older iOS."
                )
            }
        }

        /// By the artifact's hash and the system's build: after an update of iOS a model is compiled anew.
        private static func keptUrl(_ variant: Variant) throws -> URL {
            let caches = try FileManager.default.url(for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            let system = ProcessInfo.processInfo.operatingSystemVersionString.filter { $0.isLetter || $0.isNumber || $0 == "." }
            return caches.appendingPathComponent("edgebundle/\(system)/\(variant.sha256).mlmodelc")
        }
    }
#endif
