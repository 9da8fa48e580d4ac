import CoreML
import Foundation
import XCTest

@testable import Edgebundle

/// A bundle of networks that the stand-in of Core ML plays, written to a folder of the test.
struct PlayedBundle {
    let folder: URL
    static let size = 8

    /// `variants`: id -> what its model plays. `outputs`: name -> the tensor's JSON; goldens are what `invert` gives.
    init(
        _ variants: KeyValuePairs<String, String> = ["a": "invert out"],
        outputs: KeyValuePairs<String, String> = ["out": PlayedBundle.picture],
        styles: [String: Int] = [:], goldens: Bool = true
    ) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        let names = (models: folder.appendingPathComponent("variants"), golden: folder.appendingPathComponent("golden"))
        for place in [names.models, names.golden] {
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        }
        var files: [String] = []
        func write(_ data: Data, _ path: String) throws -> String {
            try data.write(to: folder.appendingPathComponent(path))
            files.append(#"{"file": "\#(path)", "sha256": "\#(sha256(data))"}"#)
            return sha256(data)
        }
        let count = 3 * Self.size * Self.size
        _ = try write(ppm((0..<count).map { UInt8($0 % 256) }), "golden/in.png")
        _ = try write(ppm((0..<count).map { UInt8(255 - $0 % 256) }), "golden/out.png")
        for (name, length) in styles { _ = try write(Data(count: 4 * length), "golden/\(name).f32") }
        let inputs =
            [#"{"name": "image", \#(Self.picture), "resize": "center_crop"}"#]
            + styles.map { #"{"name": "\#($0)", "kind": "vector", "shape": [1, \#($1)]}"# }
        func shape(_ tensor: String) -> String {
            String(tensor.split(separator: "[", maxSplits: 1)[1].split(separator: "]")[0])
        }
        func binding(_ name: String, _ index: Int, _ shape: String, _ layout: String) -> String {
            #"{"name": "\#(name)", "index": \#(index), "layout": "\#(layout)", "shape": [\#(shape)], "dtype": "float32"}"#
        }
        let taken =
            [binding("image", 0, shape(Self.picture), "NCHW")]
            + styles.enumerated().map { binding($1.key, $0 + 1, "1, \($1.value)", "plain") }
        let given = outputs.enumerated().map {
            binding($1.key, $0, shape($1.value), $1.value.contains("image") ? "NCHW" : "plain")
        }
        var models: [String] = []
        for (id, play) in variants {
            // a salt: each bundle has its own compiled models
            let hash = try write(Data("\(play) #\(UUID().uuidString)".utf8), "variants/\(id)")
            models.append(
                #"{"id": "\#(id)", "backend": "coreml", "delegate": "all", "file": "variants/\#(id)", "bytes": 1, "sha256": "\#(hash)", "#
                    + #""inputs": [\#(taken.joined(separator: ","))], "outputs": [\#(given.joined(separator: ","))], "predicted_peak_memory_bytes": 1, "minimum_runtime": "iOS 1"}"#
            )
        }
        let input =
            [#"{"name": "image", "file": "golden/in.png", "encoding": "png"}"#]
            + styles.keys.map { #"{"name": "\#($0)", "file": "golden/\#($0).f32", "encoding": "f32"}"# }
        let out =
            outputs.contains { $0.key == "out" } ? #"{"name": "out", "file": "golden/out.png", "encoding": "png"}"# : ""
        let expected = variants.map { #"{"variant": "\#($0.key)", "tensors": [\#(out)], "min_psnr_db": 40}"# }
        let golden =
            #"{"id": "0", "inputs": [\#(input.joined(separator: ","))], "expected": [\#(expected.joined(separator: ","))]}"#
        let manifest = """
            {"schema": 1, "model": {"name": "played"}, "inputs": [\(inputs.joined(separator: ","))],
             "outputs": [\(outputs.map { #"{"name": "\#($0.key)", \#($0.value)}"# }.joined(separator: ","))], "variants": [\(models.joined(separator: ","))],
             "goldens": [\(goldens ? golden : "")], "files": [\(files.joined(separator: ","))]}
            """
        try Data(manifest.utf8).write(to: folder.appendingPathComponent("manifest.json"))
    }

    static let picture = #""kind": "image", "shape": [1, 3, 8, 8], "color_order": "RGB", "range": [0, 1]"#

    /// All its files by their paths.
    func files() throws -> [String: Data] {
        var files: [String: Data] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
            var isFolder: ObjCBool = false
            let file = folder.appendingPathComponent(path)
            _ = FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder)
            if !isFolder.boolValue { files[path] = try Data(contentsOf: file) }
        }
        return files
    }

    func open(_ variant: String? = nil) async throws -> ImageModel {
        try await ImageModel.open(variant: variant, file: folder)
    }
}

/// A `.zip` of stored files.
func stored(_ files: [String: Data]) -> Data {
    func bytes(_ value: Int, _ count: Int) -> Data { Data((0..<count).map { UInt8(value >> (8 * $0) & 255) }) }
    var (content, directory) = (Data(), Data())
    for (name, data) in files.sorted(by: { $0.key < $1.key }) {
        let sizes = bytes(0, 4) + bytes(data.count, 4) + bytes(data.count, 4) + bytes(name.utf8.count, 2)
        directory += bytes(0x0201_4b50, 4) + bytes(20, 2) + bytes(20, 2) + bytes(0, 8) + sizes
        directory += bytes(0, 12) + bytes(content.count, 4) + Data(name.utf8)
        content += bytes(0x0403_4b50, 4) + bytes(20, 2) + bytes(0, 8) + sizes + bytes(0, 2) + Data(name.utf8) + data
    }
    let end = bytes(0x0605_4b50, 4) + bytes(0, 4) + bytes(files.count, 2) + bytes(files.count, 2)
    return content + directory + end + bytes(directory.count, 4) + bytes(content.count, 4) + bytes(0, 2)
}

private func ppm(_ planes: [UInt8]) -> Data {
    Data("P6\n\(PlayedBundle.size) \(PlayedBundle.size)\n255\n".utf8) + planes
}

/// A picture whose pixels are all different.
func numbered(_ width: Int, _ height: Int) -> [UInt32] {
    (0..<width * height).map { 0xff00_0000 | UInt32(truncatingIfNeeded: $0 * 2_654_435) & 0xff_ffff }
}

func inverted(_ words: [UInt32]) -> [UInt32] { words.map { 0xff00_0000 | ~$0 & 0xff_ffff } }

func frame(_ width: Int, _ height: Int, _ word: UInt32, format: OSType = kCVPixelFormatType_32BGRA) -> CVPixelBuffer {
    var made: CVPixelBuffer?
    _ = CVPixelBufferCreate(nil, width, height, format, nil, &made)
    for y in 0..<height {
        let row = (CVPixelBufferGetBaseAddress(made!)! + y * CVPixelBufferGetBytesPerRow(made!)).assumingMemoryBound(
            to: UInt32.self)
        for x in 0..<width { row[x] = word }
    }
    return made!
}

func firstWord(_ buffer: CVPixelBuffer) -> UInt32 { CVPixelBufferGetBaseAddress(buffer)!.load(as: UInt32.self) }

/// What happened, in order, and a wait for it that has a limit.
final class Told: @unchecked Sendable {
    private let lock = NSLock()
    private var kept: [String] = []

    var all: [String] { lock.withLock { kept } }

    func add(_ what: String) { lock.withLock { kept.append(what) } }

    func wait(_ isThere: ([String]) -> Bool) async {
        // a task of its own: the one that waits may be cancelled, which ends a sleep at once
        for _ in 0..<5000 where !isThere(all) {
            await Task.detached { try? await Task.sleep(for: .milliseconds(2)) }.value
        }
        XCTAssertTrue(isThere(all), "waited in vain: \(all)")
    }

    /// The same for a thread that may block.
    func block(_ what: String) {
        for _ in 0..<5000 where !all.contains(what) { usleep(2000) }
    }
}

func assertFails<T>(_ says: String, file: StaticString = #filePath, line: UInt = #line, _ work: () async throws -> T)
    async
{
    do {
        _ = try await work()
        XCTFail("no error", file: file, line: line)
    } catch let error as BundleError {
        XCTAssertTrue(error.message.contains(says), error.message, file: file, line: line)
    } catch {
        XCTFail("\(error) is no BundleError", file: file, line: line)
    }
}
