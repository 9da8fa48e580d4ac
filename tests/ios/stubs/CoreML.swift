@_exported import CoreVideo

public enum MLComputeUnits: Int, Sendable { case cpuOnly, cpuAndGPU, all, cpuAndNeuralEngine }
public class MLModelConfiguration: NSObject {
    public override init() {}
    public var computeUnits = MLComputeUnits.all
}
public enum MLMultiArrayDataType: Int { case double, float32, float16, int32 }
public class MLMultiArray: NSObject {
    private let memory: UnsafeMutableRawPointer
    private var owned: [Float] = []
    public let shape: [NSNumber]
    public let strides: [NSNumber]
    public let dataType: MLMultiArrayDataType
    public init(
        dataPointer: UnsafeMutableRawPointer, shape: [NSNumber], dataType: MLMultiArrayDataType, strides: [NSNumber],
        deallocator: ((UnsafeMutableRawPointer) -> Void)? = nil
    ) throws { (memory, self.shape, self.dataType, self.strides) = (dataPointer, shape, dataType, strides) }
    public var count: Int { shape.reduce(1) { $0 * $1.intValue } }
    public subscript(index: Int) -> NSNumber {
        get { NSNumber(value: memory.assumingMemoryBound(to: Float.self)[index]) }
        set { memory.assumingMemoryBound(to: Float.self)[index] = newValue.floatValue }
    }
    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try body(UnsafeRawBufferPointer(start: memory, count: 4 * count))
    }
}
public class MLFeatureValue: NSObject {
    public private(set) var multiArrayValue: MLMultiArray?
    public private(set) var imageBufferValue: CVPixelBuffer?
    public convenience init(multiArray: MLMultiArray) {
        self.init()
        multiArrayValue = multiArray
    }
    public convenience init(pixelBuffer: CVPixelBuffer) {
        self.init()
        imageBufferValue = pixelBuffer
    }
}
public protocol MLFeatureProvider {
    var featureNames: Set<String> { get }
    func featureValue(for name: String) -> MLFeatureValue?
}
public class MLDictionaryFeatureProvider: NSObject, MLFeatureProvider {
    private let values: [String: Any]
    public init(dictionary: [String: Any]) throws { values = dictionary }
    public var featureNames: Set<String> { Set(values.keys) }
    public func featureValue(for name: String) -> MLFeatureValue? { values[name] as? MLFeatureValue }
}
/// How Core ML plays: a model is a text of words. `invert` gives 1 - input, `grey` a constant; `outputs` are copies
/// under several names of the picture, or its first values. What it is asked to do is counted.
public enum PlayedCoreML {
    public struct Refused: Error, LocalizedError {
        public let errorDescription: String?
        public init(errorDescription: String?) { self.errorDescription = errorDescription }
    }
    private static let lock = NSLock()
    nonisolated(unsafe) private static var counts: [String: Int] = [:]
    nonisolated(unsafe) private static var hook: (@Sendable (String) throws -> Void)?
    public static func count(_ what: String) -> Int { lock.withLock { counts[what] ?? 0 } }
    /// Called before each `compile`, `load`, `predict` and `plan`; may block or throw.
    public static func set(hook: (@Sendable (String) throws -> Void)?) {
        lock.withLock {
            self.hook = hook
            counts = [:]
        }
    }
    static func note(_ what: String) throws {
        let called = lock.withLock {
            counts[what, default: 0] += 1
            return hook
        }
        try called?(what)
    }
}
public class MLModel: NSObject {
    private let words: [String]
    private init(_ words: [String]) { self.words = words }
    public class func compileModel(at url: URL) async throws -> URL {
        try PlayedCoreML.note("compile")
        let text = try String(contentsOf: url, encoding: .utf8)
        if text.contains("nocompile") { throw PlayedCoreML.Refused(errorDescription: "it does not compile") }
        let made = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).mlmodelc")
        try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: made.appendingPathComponent("model.mil"))
        return made
    }
    public class func load(contentsOf url: URL, configuration: MLModelConfiguration = MLModelConfiguration())
        async throws -> MLModel
    {
        try PlayedCoreML.note("load")
        let text = try String(contentsOf: url.appendingPathComponent("model.mil"), encoding: .utf8)
        if text.contains("noload") { throw PlayedCoreML.Refused(errorDescription: "it does not load") }
        return MLModel(text.split(whereSeparator: \.isWhitespace).map(String.init))
    }
    public func prediction(from input: any MLFeatureProvider) throws -> any MLFeatureProvider {
        try PlayedCoreML.note(playedPoolDepth > 0 ? "pooled" : "unpooled")
        try PlayedCoreML.note("predict")
        if words.contains("norun") { throw PlayedCoreML.Refused(errorDescription: "it does not run") }
        guard let picture = input.featureValue(for: "image")?.multiArrayValue else {
            throw PlayedCoreML.Refused(errorDescription: "no picture")
        }
        var outputs: [String: Any] = [:]
        // NAME:COUNT for values, NAME for the picture
        for word in words.dropFirst() where word != "norun" {
            let parts = word.split(separator: ":").map(String.init)
            let count = parts.count > 1 ? Int(parts[1])! : picture.count
            let memory = UnsafeMutableRawPointer.allocate(byteCount: 4 * count, alignment: 16)
            let values = memory.bindMemory(to: Float.self, capacity: count)
            for at in 0..<count {
                values[at] =
                    words[0] == "invert"
                    ? 1 - picture[at % picture.count].floatValue
                    : words[0] == "grey" ? 0.5 : picture[at % picture.count].floatValue
            }
            let shape = parts.count > 1 ? [1, count] : picture.shape.map(\.intValue)
            var strides = [Int](repeating: 1, count: shape.count)
            for axis in strides.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
            let array = try MLMultiArray(
                dataPointer: memory, shape: shape.map { NSNumber(value: $0) }, dataType: .float32,
                strides: strides.map { NSNumber(value: $0) }, deallocator: nil)
            outputs[parts[0]] = MLFeatureValue(multiArray: array)
        }
        return try MLDictionaryFeatureProvider(dictionary: outputs)
    }
}
public final class MLCPUComputeDevice: NSObject {}
public final class MLGPUComputeDevice: NSObject {}
public final class MLNeuralEngineComputeDevice: NSObject {}
public enum MLComputeDevice {
    case cpu(MLCPUComputeDevice)
    case gpu(MLGPUComputeDevice)
    case neuralEngine(MLNeuralEngineComputeDevice)
}
public enum MLModelStructure {
    case neuralNetwork
    case program(Program)
    case pipeline, unsupported
    public struct Program {
        public struct Operation { public let operatorName: String }
        public struct Block { public let operations: [Operation] }
        public struct Function { public let block: Block }
        public let functions: [String: Function]
    }
}
public struct MLComputePlan {
    public struct DeviceUsage { public var preferred: MLComputeDevice { .neuralEngine(MLNeuralEngineComputeDevice()) } }
    public static func load(contentsOf url: URL, configuration: MLModelConfiguration) async throws -> MLComputePlan {
        try PlayedCoreML.note("plan")
        return MLComputePlan()
    }
    public var modelStructure: MLModelStructure {
        .program(.init(functions: ["main": .init(block: .init(operations: [.init(operatorName: "conv")]))]))
    }
    public func deviceUsage(for operation: MLModelStructure.Program.Operation) -> DeviceUsage? { DeviceUsage() }
}
