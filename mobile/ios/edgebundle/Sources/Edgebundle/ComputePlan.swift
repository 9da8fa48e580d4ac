#if canImport(CoreML)
    import CoreML
    import Foundation

    /// Where Core ML plans to execute each op of a compiled model. Loading a plan takes as long as loading the model.
    enum ComputePlan {
        static func execution(_ compiled: URL, _ configuration: MLModelConfiguration, _ requested: String) async
            -> Execution
        {
            let devices = await devices(compiled, configuration)
            return Execution(delegate: delegate(requested, devices), ops: devices)
        }

        /// Empty before iOS 17.4, which does not tell.
        private static func devices(_ compiled: URL, _ configuration: MLModelConfiguration) async -> [OpDevice] {
            guard #available(iOS 17.4, macOS 14.4, *) else { return [] }
            // A plan is extra knowledge: a model runs without it, and an empty list says that there is none.
            guard let plan = try? await MLComputePlan.load(contentsOf: compiled, configuration: configuration) else {
                return []
            }
            guard case .program(let program) = plan.modelStructure, let main = program.functions["main"] else {
                return []
            }
            return main.block.operations.compactMap { operation in
                guard let usage = plan.deviceUsage(for: operation) else { return nil }
                return OpDevice(op: operation.operatorName, device: name(usage.preferred))
            }
        }

        /// The delegate in the manifest's words: the requested one, unless the plan leaves out what it is named for.
        private static func delegate(_ requested: String, _ devices: [OpDevice]) -> TextReading {
            if devices.isEmpty { return .missing("Core ML tells which device executes an op from iOS 17.4 on only") }
            let used = Set(devices.map(\.device))
            switch requested {
            case "cpu_and_ne" where !used.contains("neural engine"), "cpu_and_gpu" where !used.contains("gpu"):
                return .of("cpu")
            default: return .of(requested)
            }
        }

        @available(iOS 17.4, macOS 14.4, *)
        private static func name(_ device: MLComputeDevice) -> String {
            switch device {
            case .cpu: return "cpu"
            case .gpu: return "gpu"
            case .neuralEngine: return "neural engine"
            @unknown default: return "unknown"
            }
        }
    }
#endif
