#if canImport(CoreML)
    import CoreML
    import Foundation

    /// Models compiled for this device: carried by the app, or made here once for each artifact and system.
    enum CompiledModels {
        /// The compiled model in use, and how long compiling took or why it took no time.
        struct Compiled: Sendable {
            let url: URL
            let compileNs: Reading
            fileprivate let isKept: Bool
        }

        /// Loads a variant by `load`. A kept model that cannot be loaded is compiled anew, once. Throws `BundleError`.
        static func load<T>(_ variant: Variant, _ artifact: URL, _ load: (URL) async throws -> sending T) async throws
            -> (model: T, compiled: Compiled)
        {
            let compiled = try await compiled(variant, artifact)
            do {
                return (try await load(compiled.url), compiled)
            } catch  where compiled.isKept {
                // the system or another process may have taken a part of it away
                KeptFiles(in: try Folders.compiled()).remove(name(variant))
            } catch {
                throw refusal(variant, error)
            }
            let again = try await Self.compiled(variant, artifact)
            do {
                return (try await load(again.url), again)
            } catch {
                throw refusal(variant, error)
            }
        }

        private static func compiled(_ variant: Variant, _ artifact: URL) async throws -> Compiled {
            if let carried = BundleLocation.compiled(variant) {
                return Compiled(
                    url: carried, compileNs: .missing("ns", "the app carries the compiled model"), isKept: false)
            }
            do {
                let kept = try await KeptFiles(in: try Folders.compiled()).url(name(variant)) {
                    try await MLModel.compileModel(at: artifact)
                }
                if kept.tookNs != nil { Folders.removeOtherSystems() }
                let took =
                    kept.tookNs.map { Reading.of(Double($0), "ns") }
                    ?? .missing("ns", "it was compiled by an earlier run")
                return Compiled(url: kept.url, compileNs: took, isKept: kept.tookNs == nil)
            } catch let error as CancellationError {
                throw error
            } catch {
                throw BundleError(
                    "Core ML cannot compile \(variant.file) of variant '\(variant.id)' (\(error.localizedDescription)); free space, or convert it for an older iOS."
                )
            }
        }

        private static func name(_ variant: Variant) -> String { "\(variant.sha256).mlmodelc" }

        private static func refusal(_ variant: Variant, _ error: any Error) -> any Error {
            error is CancellationError
                ? error : BundleError("Core ML cannot load variant '\(variant.id)' (\(error.localizedDescription)).")
        }
    }
#endif
