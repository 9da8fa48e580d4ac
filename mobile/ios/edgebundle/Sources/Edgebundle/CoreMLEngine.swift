#if canImport(CoreML)
    import CoreML
    import CoreVideo
    import Foundation

    /// Opens models with compute units that a bundle may ask for.
    struct CoreMLFactory: EngineFactory {
        let units: MLComputeUnits

        static let all: [String: any EngineFactory] = [
            "coreml-all": CoreMLFactory(units: .all),
            "coreml-cpu_and_gpu": CoreMLFactory(units: .cpuAndGPU),
            "coreml-cpu_and_ne": CoreMLFactory(units: .cpuAndNeuralEngine),
        ]

        func open(_ variant: Variant, _ artifact: URL) async throws -> sending any Engine {
            try await CoreMLEngine(variant, artifact, units)
        }
    }

    private func configuration(_ units: MLComputeUnits) -> MLModelConfiguration {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units
        return configuration
    }

    /// A Core ML model with its compute units. Tensors are read from and written to the session's own memory.
    final class CoreMLEngine: Engine {
        let runtime = "Core ML"
        let runtimeVersion: String
        let compileNs: Reading
        let execution: @Sendable () async -> Execution
        private let model: MLModel
        private var images: [String: CVPixelBuffer] = [:]

        fileprivate init(_ variant: Variant, _ artifact: URL, _ units: MLComputeUnits) async throws {
            let loaded = try await CompiledModels.load(variant, artifact) {
                try await MLModel.load(contentsOf: $0, configuration: configuration(units))
            }
            model = loaded.model
            compileNs = loaded.compiled.compileNs
            let (url, requested) = (loaded.compiled.url, variant.delegate)
            execution = { await ComputePlan.execution(url, configuration(units), requested) }
            runtimeVersion = ProcessInfo.processInfo.operatingSystemVersionString
        }

        /// Each inference has its own pool: what Core ML leaves to the thread's pool would stay until a picture of many
        /// tiles is done.
        func run(inputs: [TensorBuffer], outputs: [TensorBuffer]) throws {
            try autoreleasepool { try infer(inputs, outputs) }
        }

        private func infer(_ inputs: [TensorBuffer], _ outputs: [TensorBuffer]) throws {
            do {
                let features = try MLDictionaryFeatureProvider(
                    dictionary: Dictionary(inputs.map { ($0.binding.name, try feature($0)) }) { $1 })
                let results = try model.prediction(from: features)
                for output in outputs { try copy(results.featureValue(for: output.binding.name), to: output) }
            } catch let error as BundleError {
                throw error
            } catch {
                throw BundleError("Core ML cannot run the model (\(error.localizedDescription)).")
            }
        }

        private func feature(_ buffer: TensorBuffer) throws -> MLFeatureValue {
            let binding = buffer.binding
            if binding.layout == .image { return MLFeatureValue(pixelBuffer: try image(buffer)) }
            var strides = [Int](repeating: 1, count: binding.shape.count)
            for axis in strides.indices.dropLast().reversed() {
                strides[axis] = strides[axis + 1] * binding.shape[axis + 1]
            }
            guard let memory = buffer.bytes.baseAddress else { throw BundleError("'\(binding.name)' has no memory.") }
            let array = try MLMultiArray(
                dataPointer: memory, shape: binding.shape.map { NSNumber(value: $0) },
                dataType: binding.dtype == "int32" ? .int32 : .float32,
                strides: strides.map { NSNumber(value: $0) }, deallocator: nil)
            return MLFeatureValue(multiArray: array)
        }

        /// The pixels of a border that is an image, in a pixel buffer that is made once.
        private func image(_ buffer: TensorBuffer) throws -> CVPixelBuffer {
            let (height, width) = (buffer.binding.shape[2], buffer.binding.shape[3])
            let kept = try images[buffer.binding.name] ?? PixelBuffers.make(width: width, height: height)
            images[buffer.binding.name] = kept
            try PixelBuffers.access(kept, readOnly: false) { target, bytesPerRow in
                for y in 0..<height {
                    (target + y * bytesPerRow).copyMemory(
                        from: buffer.bytes.baseAddress! + 4 * width * y, byteCount: 4 * width)
                }
            }
            return kept
        }

        private func copy(_ value: MLFeatureValue?, to target: TensorBuffer) throws {
            let binding = target.binding
            if binding.layout == .image {
                let (height, width) = (binding.shape[2], binding.shape[3])
                guard let picture = value?.imageBufferValue, CVPixelBufferGetWidth(picture) == width,
                    CVPixelBufferGetHeight(picture) == height
                else {
                    throw BundleError(
                        "Core ML gives no picture '\(binding.name)' of \(width) x \(height) pixels; package the bundle again."
                    )
                }
                try PixelBuffers.access(picture, readOnly: true) { source, bytesPerRow in
                    for y in 0..<height {
                        (target.bytes.baseAddress! + 4 * width * y).copyMemory(
                            from: source + y * bytesPerRow, byteCount: 4 * width)
                    }
                }
                return
            }
            guard let array = value?.multiArrayValue, array.shape.map(\.intValue) == binding.shape else {
                throw BundleError(
                    "Core ML gives no output '\(binding.name)' of shape \(binding.shape); package the bundle again.")
            }
            if array.dataType == .float32 && binding.dtype == "float32" {
                copyFloats(array, to: target)
            } else if binding.dtype == "int32" {
                let integers = target.bytes.bindMemory(to: Int32.self)
                for at in 0..<array.count { integers[at] = array[at].int32Value }
            } else {
                for at in 0..<array.count { target.floats[at] = array[at].floatValue }
            }
        }

        /// Rows of an output may be padded: the strides say where each element stands.
        private func copyFloats(_ array: MLMultiArray, to target: TensorBuffer) {
            let (shape, strides) = (array.shape.map(\.intValue), array.strides.map(\.intValue))
            let (row, rows) = (shape.last ?? 1, array.count / max(1, shape.last ?? 1))
            let step = strides.last ?? 1
            let floats = target.floats
            array.withUnsafeBytes { bytes in
                let source = bytes.bindMemory(to: Float.self)
                for line in 0..<rows {
                    var (rest, start) = (line, 0)
                    for axis in shape.indices.dropLast().reversed() {
                        start += rest % shape[axis] * strides[axis]
                        rest /= shape[axis]
                    }
                    for at in 0..<row { floats[line * row + at] = source[start + at * step] }
                }
            }
        }
    }
#endif
