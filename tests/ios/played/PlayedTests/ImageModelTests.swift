import CoreGraphics
import CoreML
import Foundation
import UIKit
import XCTest

@testable import Edgebundle

final class ImageModelTests: XCTestCase {
    override func setUp() { PlayedCoreML.set(hook: nil) }

    /// A picture comes back as the network renders it; each inference has its own autorelease pool, and nobody asked
    /// for the plan.
    func testProcesses() async throws {
        let model = try await PlayedBundle().open()
        let result = try await model.process(playedImage(8, 8, numbered(8, 8)))
        XCTAssertEqual(playedWords(result), inverted(numbered(8, 8)))
        XCTAssertEqual(PlayedCoreML.count("plan"), 0)
        XCTAssertEqual(PlayedCoreML.count("unpooled"), 0)
        XCTAssertEqual(PlayedCoreML.count("pooled"), 2)
        let execution = await model.execution()
        XCTAssertEqual(execution, Execution(delegate: .of("all"), ops: [OpDevice(op: "conv", device: "neural engine")]))
        XCTAssertEqual(PlayedCoreML.count("plan"), 1)
        let old = try await (model as StyleModel).stylize(playedImage(8, 8, numbered(8, 8)), strength: 0)
        XCTAssertEqual(playedWords(old), numbered(8, 8))
    }

    /// Ten opens at once compile once and all give a model; a later one compiles nothing, and goldens are run once.
    func testOpensAtOnce() async throws {
        let bundle = try PlayedBundle()
        let models = try await withThrowingTaskGroup(of: ImageModel.self) { group in
            for _ in 0..<10 { group.addTask { try await bundle.open() } }
            return try await group.reduce(into: [ImageModel]()) { $0.append($1) }
        }
        XCTAssertEqual(models.map(\.variant), [String](repeating: "a", count: 10))
        XCTAssertEqual(PlayedCoreML.count("compile"), 1)
        let result = try await models[9].process(playedImage(8, 8, numbered(8, 8)))
        XCTAssertEqual(playedWords(result), inverted(numbered(8, 8)))
    }

    /// A kept model that the system took a part of is compiled anew; one that Core ML refuses is passed over.
    func testCompilesADamagedModelAnew() async throws {
        let bundle = try PlayedBundle()
        _ = try await bundle.open()
        let kept = try Folders.compiled()
        for path in try FileManager.default.subpathsOfDirectory(atPath: kept.path) where path.hasSuffix("model.mil") {
            try FileManager.default.removeItem(at: kept.appendingPathComponent(path))
        }
        let again = try await bundle.open()
        XCTAssertEqual(again.tried, [])
        XCTAssertEqual(PlayedCoreML.count("compile"), 2)
        let refused = try await PlayedBundle([
            "a": "noload", "b": "nocompile", "c": "invert norun out", "d": "grey out", "e": "invert out",
        ]).open()
        XCTAssertEqual(refused.variant, "e")
        XCTAssertEqual(refused.tried.map(\.variant), ["a", "b", "c", "d"])
        XCTAssertTrue(refused.messages[3].contains("it fails golden '0'"), refused.messages[3])
    }

    /// A variant that is asked for is checked like any other: where it fails the others follow, with a message.
    func testAWishedVariantIsChecked() async throws {
        let bundle = try PlayedBundle(["a": "invert out", "b": "grey out", "c": "invert out"])
        let third = try await bundle.open("c")
        XCTAssertEqual(third.variant, "c")
        let instead = try await bundle.open("b")
        XCTAssertEqual(instead.variant, "a")
        XCTAssertEqual(instead.tried.map(\.variant), ["b"])
        await assertFails("no variant 'x'; it has a, b, c") { try await bundle.open("x") }
        await assertFails("no variant of the bundle works") { try await PlayedBundle(["a": "grey out"]).open() }
        await assertFails("carries no bundle") { try await ImageModel.open() }
        await assertFails("no readable manifest.json") {
            try await ImageModel.open(file: URL(fileURLWithPath: "/nowhere"))
        }
    }

    /// A `.zip` of a bundle is opened like a folder; what is damaged is refused, and nothing of it is left.
    func testOpensADownloadedArchive() async throws {
        let bundle = try PlayedBundle()
        let files = try bundle.files()
        let zip = bundle.folder.deletingLastPathComponent().appendingPathComponent("\(UUID().uuidString).zip")
        try stored(files).write(to: zip)
        let model = try await ImageModel.open(file: zip)
        XCTAssertEqual(model.variant, "a")
        XCTAssertEqual(
            try ImageModel.loader(file: zip).bundleSha256, try ImageModel.loader(file: bundle.folder).bundleSha256)
        let other = try PlayedBundle().files()
        let whole = stored(other)
        var changed = other
        changed["variants/a"]![0] ^= 1
        var strange = other
        strange["../evil"] = Data("x".utf8)
        let cases: [(Data, String)] = [
            (whole.prefix(whole.count / 2), "no whole archive"), (Data("text".utf8), "no whole archive"),
            (stored(["a": Data()]), "no manifest.json"), (stored(changed), "does not have the hash"),
            (stored(strange), "../evil"), (stored(other.filter { $0.key != "variants/a" }), "lacks variants/a"),
        ]
        for (content, says) in cases {
            try content.write(to: zip)
            await assertFails(says) { try await ImageModel.open(file: zip) }
        }
    }

    /// The bundles of an app are opened by their names, both at once; without a name the app is asked for one.
    func testOpensSeveralBundlesByName() async throws {
        let place = Bundle.main.bundleURL.appendingPathComponent("edgebundle")
        defer { try? FileManager.default.removeItem(at: place) }
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        for (name, play) in [("first", "invert out"), ("second", "invert out")] {
            try FileManager.default.moveItem(
                at: try PlayedBundle(["\(name) variant": play]).folder, to: place.appendingPathComponent(name))
        }
        let (first, second) = (try await ImageModel.open(bundle: "first"), try await ImageModel.open(bundle: "second"))
        XCTAssertEqual([first.variant, second.variant], ["first variant", "second variant"])
        await assertFails("several bundles (first, second)") { try await ImageModel.open() }
        await assertFails("no bundle 'third'; it has first, second") { try await ImageModel.open(bundle: "third") }
        await assertFails("not by both") { try await ImageModel.open(bundle: "first", file: place) }
        try FileManager.default.removeItem(at: place.appendingPathComponent("second"))
        let only = try await ImageModel.open()
        XCTAssertEqual(only.variant, "first variant")
    }

    /// A photo that the camera stored on its side stands upright in the result, at once, in tiles, and as a `UIImage`.
    func testTurnsPhotos() async throws {
        let model = try await PlayedBundle().open()
        let (stored, words) = (playedImage(8, 8, numbered(8, 8)), numbered(8, 8))
        let upright = UprightPixels(Pixels(width: 8, height: 8, argb: inverted(words)), .right).whole()
        let one = try await model.process(stored, orientation: .right)
        XCTAssertEqual(playedWords(one), upright.argb)
        let picture = try await model.process(UIImage(cgImage: stored, scale: 2, orientation: .right))
        XCTAssertEqual(playedWords(picture.cgImage!), upright.argb)
        XCTAssertEqual(picture.imageOrientation, .up)
        XCTAssertEqual(picture.scale, 2)
        let long = playedImage(24, 8, numbered(24, 8))
        let tall = try await model.processLarge(long, orientation: .left)
        XCTAssertEqual([tall.width, tall.height], [8, 24])
        XCTAssertEqual(
            playedWords(tall),
            UprightPixels(Pixels(width: 24, height: 8, argb: inverted(numbered(24, 8))), .left).whole().argb)
        // the crop of a sideways photo is that of the upright one
        let cropped = try await model.process(playedImage(9, 8, numbered(9, 8)), orientation: .right, strength: 0)
        let wanted = UprightPixels(Pixels(width: 9, height: 8, argb: numbered(9, 8)), .right)
        var part = [UInt32](repeating: 0, count: 64)
        wanted.read(left: 0, top: 0, width: 8, height: 8, into: &part)
        XCTAssertEqual(playedWords(cropped), part)
    }

    /// Transparent parts are white, whichever way a picture goes.
    func testComposesOnWhite() async throws {
        let model = try await PlayedBundle().open()
        let clear = playedImage(8, 8, [UInt32](repeating: 0x8040_0000, count: 64))  // red 128 of 255 at half, premultiplied
        for strength: Float in [0, 1] {
            let (one, large) = (
                try await model.process(clear, strength: strength),
                try await model.processLarge(clear, strength: strength)
            )
            XCTAssertEqual(playedWords(one)[0], strength == 0 ? 0xffbf_7f7f : 0xff40_8080)
            XCTAssertEqual(playedWords(one), playedWords(large))
        }
    }

    /// Classifiers give labels, networks with several outputs all of them, and what they cannot give is a sentence.
    func testGivesMoreThanPictures() async throws {
        let labels = #""kind": "tensor", "shape": [1, 4], "labels": ["cat", "dog", "cow"]"#
        let classifier = try await PlayedBundle(["a": "copy logits:4"], outputs: ["logits": labels], goldens: false)
            .open()
        XCTAssertNil(classifier.output)
        XCTAssertTrue(classifier.messages.contains { $0.contains("nothing was checked") }, "\(classifier.messages)")
        // red of the first four pixels
        let picture = playedImage(
            8, 8, [0xff20_0000, 0xffff_0000, 0xff80_0000, 0xff40_0000] + [UInt32](repeating: 0xff00_0000, count: 60))
        let found = try await classifier.classify(picture, most: 3)
        XCTAssertEqual(found.map(\.name), ["dog", "cow", "3"])
        XCTAssertEqual(found[0].score, 1)
        await assertFails("gives no picture, but logits; use classify or run") { try await classifier.process(picture) }
        await assertFails("gives no picture") { try await classifier.processLarge(picture) }
        await assertFails("gives no picture") { try FrameProcessor(classifier) }
        let mask = #""kind": "tensor", "shape": [1, 64]"#
        let both = try await PlayedBundle(
            ["a": "invert out mask:64"], outputs: ["out": PlayedBundle.picture, "mask": mask]
        ).open()
        let all = try await both.run(picture)
        XCTAssertEqual(all.mapValues(\.count), ["out": 192, "mask": 64])
        let result = try await both.process(picture)
        XCTAssertEqual(playedWords(result)[1], 0xff00_ffff)
        await assertFails("has no labels; use run") { try await both.classify(picture) }
    }

    /// A style starts as the bundle's own; wrong names, lengths and strengths are sentences, and change nothing.
    func testRefusesWrongNumbers() async throws {
        let model = try await PlayedBundle(styles: ["style": 3]).open()
        XCTAssertEqual(model.styles, ["style": 3])
        try await model.setStyle("style", [1, 2, .nan])
        await assertFails("style 'style' has 3 values, not 2") { try await model.setStyle("style", [1, 2]) }
        await assertFails("has no style 'other'; it has style") { try await model.setStyle("other", []) }
        let picture = playedImage(1, 1, [0xff00_0000])
        for strength: Float in [-1, 1.01, .nan] {
            await assertFails("a strength is between 0 and 1") { try await model.process(picture, strength: strength) }
        }
        let tiny = try await model.process(picture)
        XCTAssertEqual([tiny.width, tiny.height], [8, 8])
        let same = try await model.processLarge(picture)
        XCTAssertEqual([same.width, same.height], [1, 1])
    }

    /// A call that waits behind a large picture ends at once when it is cancelled; the large picture itself ends at its
    /// next tile, and the model goes on.
    func testCancelsAtOddMoments() async throws {
        let model = try await PlayedBundle().open()
        let (told, picture) = (Told(), Photo(playedImage(64, 64, numbered(64, 64))))
        PlayedCoreML.set { what in
            guard what == "predict" else { return }
            told.add("predict")
            told.block("go")
        }
        let large = Task { try await model.processLarge(picture.image).width }
        await told.wait { $0.contains("predict") }
        let waiting = Task { try await model.process(picture.image).width }
        try await Task.sleep(for: .milliseconds(10))
        waiting.cancel()
        do {
            _ = try await waiting.value
            XCTFail("it was cancelled")
        } catch is CancellationError {}
        XCTAssertEqual(told.all, ["predict"], "it did not wait for the large picture")
        large.cancel()
        told.add("go")
        do {
            _ = try await large.value
            XCTFail("it was cancelled")
        } catch is CancellationError {}
        XCTAssertEqual(told.all, ["predict", "go"], "no second tile")
        let after = try await model.process(picture.image)
        XCTAssertEqual(after.width, 8)
    }

    /// An open whose task is cancelled ends so, and is no start that died.
    func testCancelsAnOpen() async throws {
        let (bundle, told) = (try PlayedBundle(), Told())
        PlayedCoreML.set { what in
            told.add(what)
            if what == "load" { told.block("go") }
        }
        let opening = Task { try await bundle.open() }
        await told.wait { $0.contains("load") }
        opening.cancel()
        told.add("go")
        do {
            _ = try await opening.value
            XCTFail("it was cancelled")
        } catch is CancellationError {}
        let model = try await bundle.open()
        XCTAssertEqual(model.tried, [])
    }
}
