import Foundation

@testable import EdgebundleCore

/// Files that Python wrote for these tests; the variable names their folder.
func testData(_ path: String) -> URL {
    guard let folder = ProcessInfo.processInfo.environment["EDGEBUNDLE_TESTDATA"] else {
        fatalError("EDGEBUNDLE_TESTDATA is not set; these tests are run by tests/ios/test_swift_core.py")
    }
    return URL(fileURLWithPath: folder).appendingPathComponent(path)
}

/// Pictures of tests are raw RGB beside the PNG, because Linux has no decoder: 8 bytes of width and height, then the
/// pixels.
let rawReader: PictureReader = { data in
    // The PNG is found by its content's hash: a reader is given bytes, not a name.
    let raw = try Data(contentsOf: testData("pictures/\(sha256(data)).rgb"))
    func word(_ at: Int) -> Int {
        raw.withUnsafeBytes { Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt32.self))) }
    }
    let (width, height) = (word(0), word(4))
    let argb = (0..<width * height).map { at in
        0xff00_0000 | UInt32(raw[8 + 3 * at]) << 16 | UInt32(raw[9 + 3 * at]) << 8 | UInt32(raw[10 + 3 * at])
    }
    return Pixels(width: width, height: height, argb: argb)
}

/// An engine that computes something simple, so that sessions and loaders can be tried without a runtime.
final class FakeEngine: Engine {
    let runtime = "Fake"
    let runtimeVersion = "1"
    let compileNs = Reading.of(12, "ns")
    let execution: @Sendable () async -> Execution = { executed }
    private let compute: ([TensorBuffer], [TensorBuffer]) throws -> Void

    init(_ compute: @escaping ([TensorBuffer], [TensorBuffer]) throws -> Void) {
        self.compute = compute
    }

    func run(inputs: [TensorBuffer], outputs: [TensorBuffer]) throws { try compute(inputs, outputs) }

    /// Gives its first input as its first output.
    struct Copying: EngineFactory {
        func open(_ variant: Variant, _ artifact: URL) async throws -> sending any Engine {
            FakeEngine { inputs, outputs in outputs[0].bytes.copyMemory(from: UnsafeRawBufferPointer(inputs[0].bytes)) }
        }
    }
}

let executed = Execution(delegate: .of("all"), ops: [OpDevice(op: "conv", device: "neural engine")])

/// A manifest of one picture network of this size.
func manifestText(
    width: Int = 4, height: Int = 4, variants: [String] = [variantText(id: "a")], goldens: String = "[]",
    schema: Int = 1, rankings: String = "null"
) -> String {
    let spec =
        #""kind": "image", "shape": [1, 3, \#(height), \#(width)], "color_order": "RGB", "range": [0, 1], "mean": null, "std": null"#
    return """
        {"schema": \(schema), "model": {"name": "test"}, "inputs": [{"name": "image", \(spec), "resize": "center_crop"}],
         "outputs": [{"name": "out", \(spec), "resize": null}], "variants": [\(variants.joined(separator: ", "))], "goldens": \(goldens),
         "files": [], "rankings": \(rankings)}
        """
}

func variantText(
    id: String, backend: String = "coreml", delegate: String = "all", file: String = "variants/a", sha256: String = "",
    memory: Int = 0,
    runtime: String = "iOS 16", width: Int = 4, height: Int = 4
) -> String {
    func border(_ name: String) -> String {
        #"{"name": "\#(name)", "index": 0, "layout": "NCHW", "shape": [1, 3, \#(height), \#(width)], "dtype": "float32"}"#
    }
    return
        #"{"id": "\#(id)", "backend": "\#(backend)", "delegate": "\#(delegate)", "file": "\#(file)", "bytes": 1, "sha256": "\#(sha256)", "#
        + #""inputs": [\#(border("image"))], "outputs": [\#(border("out"))], "predicted_peak_memory_bytes": \#(memory), "minimum_runtime": "\#(runtime)"}"#
}

func manifest(_ text: String) throws -> Manifest { try Manifest.read(Data(text.utf8)) }
