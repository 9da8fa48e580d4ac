#if canImport(ExecuTorch)
    import EdgebundleCore
    import ExecuTorch
    import Foundation

    /// Opens .pte files in ExecuTorch. Give them to the SDK: `ImageModel.open(engines:
    /// ImageModel.engines.merging(ExecuTorchFactory.all) { $1 })`.
    public struct ExecuTorchFactory: EngineFactory {
        public static let all: [String: any EngineFactory] = [
            "executorch-xnnpack": ExecuTorchFactory(), "executorch-coreml": ExecuTorchFactory(),
        ]

        public init() {}

        public func open(_ variant: Variant, _ artifact: URL) async throws -> sending any Engine {
            try ExecuTorchEngine(variant, artifact)
        }
    }

    /// An ExecuTorch module of float32 tensors. Experimental upstream; used by one task at a time, as all engines are.
    final class ExecuTorchEngine: Engine {
        let runtime = "ExecuTorch"
        let runtimeVersion = "1.5.1"
        let compileNs = Reading.missing("ns", "ExecuTorch compiles nothing on the device")
        let execution: @Sendable () async -> Execution = {
            Execution(delegate: .missing("ExecuTorch's Swift interface does not tell which delegate executes"))
        }
        private let module: Module

        init(_ variant: Variant, _ artifact: URL) throws {
            guard (variant.inputs + variant.outputs).allSatisfy({ $0.dtype == "float32" }) else {
                throw BundleError(
                    "variant '\(variant.id)' has tensors that are not float32, which this engine does not fill; export it as float32."
                )
            }
            module = Module(filePath: artifact.path)
            do {
                try module.load("forward")
            } catch {
                throw BundleError("ExecuTorch cannot load variant '\(variant.id)' (\(error.localizedDescription)).")
            }
        }

        func run(inputs: [TensorBuffer], outputs: [TensorBuffer]) throws {
            let values: [Value]
            do {
                values = try module.forward(inputs.map { Tensor<Float>(Array($0.floats), shape: $0.binding.shape) })
            } catch {
                throw BundleError("ExecuTorch cannot run the model (\(error.localizedDescription)).")
            }
            guard values.count == outputs.count else {
                throw BundleError("ExecuTorch gives \(values.count) outputs, not \(outputs.count).")
            }
            for (value, output) in zip(values, outputs) {
                guard let tensor: Tensor<Float> = value.tensor(), case let scalars = tensor.scalars(),
                    scalars.count == output.binding.count
                else {
                    throw BundleError(
                        "ExecuTorch gives no float32 tensor of shape \(output.binding.shape) for '\(output.binding.name)'; package the bundle again."
                    )
                }
                _ = output.floats.update(fromContentsOf: scalars)
            }
        }
    }
#endif
