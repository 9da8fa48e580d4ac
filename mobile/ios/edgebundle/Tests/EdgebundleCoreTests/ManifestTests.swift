import Foundation
import XCTest

@testable import EdgebundleCore

final class ManifestTests: XCTestCase {
    private func message(_ text: String) -> String {
        do {
            _ = try manifest(text)
            return "no error"
        } catch {
            return error.localizedDescription
        }
    }

    /// The manifest that Python wrote is read with the same names, shapes and order.
    func testReadsTheManifestThatPythonWrote() throws {
        let read = try Manifest.read(Data(contentsOf: testData("bundle/manifest.json")))
        let python =
            try JSONSerialization.jsonObject(with: Data(contentsOf: testData("bundle/manifest.json"))) as? [String: Any]
        let variants = python?["variants"] as? [[String: Any]] ?? []
        XCTAssertEqual(read.variants.map(\.id), variants.compactMap { $0["id"] as? String })
        XCTAssertEqual(read.variants.map(\.sha256), variants.compactMap { $0["sha256"] as? String })
        XCTAssertFalse(read.variants.isEmpty)
        XCTAssertEqual(read.inputs[0].shape.count, 4)
        XCTAssertEqual(read.goldens[0].expected.map(\.variant), read.variants.map(\.id))
    }

    /// A newer schema, a missing field and JSON that is none are one sentence each.
    func testRefusesWhatItCannotRead() {
        XCTAssertTrue(message(manifestText(schema: 2)).contains("schema 2 but this app reads up to 1"))
        XCTAssertTrue(message(#"{"schema": 1}"#).contains("is missing"))
        XCTAssertTrue(message("no json").contains("not a valid manifest"))
    }

    /// A path that leaves the bundle is refused, whatever way it takes.
    func testRefusesPathsThatLeaveTheBundle() {
        for path in ["../x", "a/../../x", "/x", "c:x", ""] {
            XCTAssertTrue(
                message(manifestText(variants: [variantText(id: "a", file: path)])).contains(
                    "not a path inside the bundle"), path)
        }
    }

    /// Numbers that no picture and no artifact can have are one sentence each, before anything is computed with them.
    func testRefusesNumbersThatCannotBe() {
        let good = manifestText()
        XCTAssertEqual(message(good), "no error")
        let spec = #""shape": [1, 3, 4, 4], "color_order""#
        for (right, wrong) in [
            (spec, #""shape": [], "color_order""#), (spec, #""shape": [3], "color_order""#),
            (spec, #""shape": [1, 3, 0, 4], "color_order""#),
            (spec, #""shape": [1, 3, -4, 4], "color_order""#),
            (spec, #""shape": [1, 3, 4294967296, 4294967296], "color_order""#),
            (#""range": [0, 1]"#, #""range": []"#), (#""range": [0, 1]"#, #""range": [1, 0]"#),
            (#""range": [0, 1]"#, #""range": [-1e308, 1e308]"#),
            (#""std": null"#, #""std": [1, 0, 1]"#), (#""std": null"#, #""std": [1]"#),
            (#""mean": null"#, #""mean": []"#),
            (#""layout": "NCHW", "shape": [1, 3, 4, 4]"#, #""layout": "NHWC", "shape": [3]"#),
            (#""layout": "NCHW", "shape": [1, 3, 4, 4]"#, #""layout": "NCHW", "shape": [1, 4, 4, 3]"#),
            (#""index": 0"#, #""index": 7"#), (#""name": "image", "index""#, #""name": "picture", "index""#),
        ] {
            XCTAssertTrue(good.contains(right), right)
            XCTAssertTrue(
                message(good.replacingOccurrences(of: right, with: wrong)).contains("not a valid manifest"), wrong)
        }
        XCTAssertTrue(
            message(manifestText(variants: [variantText(id: "a"), variantText(id: "a")])).contains(
                "two variants are named 'a'"))
        let free = #"[{"id": "0", "inputs": [], "expected": [{"variant": "a", "tensors": [], "min_psnr_db": -200}]}]"#
        XCTAssertTrue(message(manifestText(goldens: free)).contains("which every picture has"))
    }

    /// An unknown variant is named with those that there are.
    func testNamesTheKnownVariants() throws {
        XCTAssertThrowsError(try manifest(manifestText()).variant("b")) {
            XCTAssertEqual($0.localizedDescription, "the bundle has no variant 'b'; it has a.")
        }
    }

    /// Variants are ordered by ranking, then by memory, and those for a newer system are left out and named.
    func testChoosesVariantsForTheDevice() throws {
        let variants = [
            variantText(id: "new", delegate: "cpu_and_ne", runtime: "iOS 18"),
            variantText(id: "large", memory: 900_000_000),
            variantText(id: "small", memory: 1_000_000), variantText(id: "tflite", backend: "tflite"),
        ]
        let ranking = #"[{"soc": "A18", "variants": ["small", "large"]}]"#
        let plain = try manifest(manifestText(variants: variants))
        let ranked = try manifest(manifestText(variants: variants, rankings: ranking))
        let engines: Set = ["coreml-all", "coreml-cpu_and_ne"]
        func order(_ manifest: Manifest, _ free: Int?, _ system: Int?) -> [String] {
            chooseVariants(
                manifest, engines: engines,
                facts: DeviceFacts(phone: Phone(soc: "A18"), freeMemoryBytes: free, system: system)
            ).order.map(\.id)
        }
        XCTAssertEqual(order(plain, nil, 18), ["new", "large", "small"])
        XCTAssertEqual(order(plain, 500_000_000, 18), ["new", "small", "large"])
        XCTAssertEqual(order(plain, nil, 17), ["large", "small"])
        XCTAssertEqual(order(ranked, nil, 17), ["small", "large"])
        let facts = DeviceFacts(phone: Phone(), freeMemoryBytes: 500_000_000, system: 17)
        let messages = chooseVariants(plain, engines: engines, facts: facts).messages
        XCTAssertEqual(messages.count, 2)
        XCTAssertTrue(messages[0].contains("needs iOS 18 and this is iOS 17"))
    }

    /// A Mac loads what the iOS of its year does.
    func testAMacIsAsNewAsItsYear() { XCTAssertEqual([13, 15, 26].map(iosVersion), [16, 18, 26]) }

    /// A bundle with one model at two sizes: each variant has its own goldens, and sessions have its sizes.
    func testVariantsOfSeveralSizes() throws {
        let variants = [variantText(id: "a"), variantText(id: "b", width: 8, height: 6)]
        let goldens = ["a", "b"].map {
            #"{"id": "g\#($0)", "inputs": [], "expected": [{"variant": "\#($0)", "tensors": [], "min_psnr_db": 40}]}"#
        }
        let read = try manifest(manifestText(variants: variants, goldens: "[\(goldens.joined(separator: ","))]"))
        let variant = try read.variant("b")
        XCTAssertEqual(read.goldens(of: variant).map(\.id), ["gb"])
        let session = try Session(manifest: read, variant: variant, engine: FakeEngine { _, _ in })
        XCTAssertEqual([session.inputSpecs[0].width, session.outputSpecs[0].height], [8, 6])
        try session.setPicture("image", [UInt32](repeating: 0xff12_3456, count: 48))
    }

    /// Hashes of texts, files and directories are those of Python.
    func testHashesAsPythonDoes() throws {
        XCTAssertEqual(sha256(Data()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        XCTAssertEqual(sha256(Data("abc".utf8)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let known = try JSONDecoder().decode([String: String].self, from: Data(contentsOf: testData("hashes.json")))
        XCTAssertGreaterThan(known.count, 2)
        for (path, digest) in known { XCTAssertEqual(try treeSha256(testData("hashed/\(path)")), digest, path) }
    }
}
