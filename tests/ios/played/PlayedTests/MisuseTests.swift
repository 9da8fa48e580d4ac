import CoreGraphics
import CoreML
import CoreVideo
import Foundation
import XCTest

@testable import Edgebundle

/// What nobody should do, and everybody does once: each ends in a picture, a sentence or a cancelled call.
final class MisuseTests: XCTestCase {
    override func setUp() { PlayedCoreML.set(hook: nil) }

    /// Folders that are none, a bundle for other runtimes, and an address of the web are sentences.
    func testFoldersThatAreNoBundle() async throws {
        let bundle = try PlayedBundle()
        await assertFails("manifest.json is no whole archive") {
            try await ImageModel.open(file: bundle.folder.appendingPathComponent("manifest.json"))
        }
        await assertFails("is no folder of this device") {
            try await ImageModel.open(file: URL(string: "https://example.org/bundle")!)
        }
        await assertFails("this app carries other runtimes") {
            try await ImageModel.open(file: bundle.folder, engines: [:])
        }
        try FileManager.default.removeItem(at: bundle.folder.appendingPathComponent("variants/a"))
        await assertFails("a is missing in the app's bundle") { try await bundle.open() }
    }

    /// Pictures of any proportions come through, at once and in tiles.
    func testPicturesOfAnyProportions() async throws {
        let model = try await PlayedBundle().open()
        for (width, height) in [(1, 1), (1, 700), (700, 1), (7, 9), (8, 9)] {
            for orientation in [PictureOrientation.up, .left, .rightMirrored] {
                let picture = playedImage(width, height, numbered(width, height))
                let one = try await model.process(picture, orientation: orientation)
                XCTAssertEqual([one.width, one.height], [8, 8])
                let large = try await model.processLarge(picture, orientation: orientation)
                XCTAssertEqual([large.width, large.height], orientation == .up ? [width, height] : [height, width])
                XCTAssertEqual(
                    playedWords(large),
                    UprightPixels(
                        Pixels(width: width, height: height, argb: inverted(numbered(width, height))), orientation
                    ).whole().argb)
            }
        }
    }

    /// A style that is set while a large picture is rendered waits for it; a model that is given up while it works
    /// gives its picture.
    func testChangesWhileItWorks() async throws {
        let told = Told()
        var model: ImageModel? = try await PlayedBundle(styles: ["style": 2]).open()
        PlayedCoreML.set { what in
            if what == "predict" {
                told.add("predict")
                told.block("go")
            }
        }
        let picture = Photo(playedImage(24, 8, numbered(24, 8)))
        let large = Task { [model] in
            let width = try await model!.processLarge(picture.image).width
            told.add("picture")
            return width
        }
        await told.wait { $0.contains("predict") }
        let style = Task { [model] in
            try await model!.setStyle("style", [1, 2])
            told.add("style")
        }
        weak var gone = model
        model = nil
        told.add("go")
        let width = try await large.value
        try await style.value
        XCTAssertEqual(width, 24)
        await told.wait { _ in gone == nil }
    }

    /// A hundred calls at once, every third cancelled, give pictures to the others, in whatever order.
    func testManyCallsAtOnce() async throws {
        let model = try await PlayedBundle().open()
        let picture = Photo(playedImage(8, 8, numbered(8, 8)))
        let calls = (0..<100).map { number in
            Task {
                number % 2 == 0
                    ? try await model.process(picture.image).width : try await model.run(picture.image).count
            }
        }
        for number in stride(from: 0, to: 100, by: 3) { calls[number].cancel() }
        for (number, call) in calls.enumerated() {
            do {
                let result = try await call.value
                XCTAssertEqual(result, number % 2 == 0 ? 8 : 1)
            } catch is CancellationError {
                XCTAssertEqual(number % 3, 0)
            }
        }
    }

    /// Frames from many threads, an end that is told twice, and two processors on one model.
    func testFramesFromManyThreads() async throws {
        let (model, told) = (try await PlayedBundle().open(), Told())
        let processors = try (0..<2).map { _ in try FrameProcessor(model) { told.add($0.localizedDescription) } }
        let shown = Told()
        let loops = processors.enumerated().map { number, processor in
            Task { for await _ in processor.frames { shown.add("shown \(number)") } }
        }
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<40 {
                group.addTask { processors[number % 2].submit(VideoFrame(frame(3, 5, 0xff00_00ff), seconds: .nan)) }
            }
        }
        for (number, processor) in processors.enumerated() {
            await shown.wait { $0.contains("shown \(number)") }
            processor.submit(VideoFrame(frame(300, 2, 0xff00_00ff), seconds: 1))
            processor.finish()
            processor.finish()
        }
        for loop in loops { await loop.value }
        XCTAssertEqual(told.all, [])
    }

    /// A loop over frames that is cancelled ends the processor; the model goes on.
    func testALoopThatIsCancelledEndsTheProcessor() async throws {
        let model = try await PlayedBundle().open()
        let processor = try FrameProcessor(model)
        let loop = Task { for await _ in processor.frames {} }
        loop.cancel()
        await loop.value
        for _ in 0..<1000 where processor.submit(VideoFrame(frame(8, 8, 0), seconds: 1)) {
            try await Task.sleep(for: .milliseconds(2))
        }
        XCTAssertFalse(processor.submit(VideoFrame(frame(8, 8, 0), seconds: 2)))
        let after = try await model.process(playedImage(8, 8, numbered(8, 8)))
        XCTAssertEqual(after.width, 8)
    }

    /// An open that waits for another one is cancelled at once; the other one goes on.
    func testCancelsAnOpenThatWaits() async throws {
        let (bundle, told) = (try PlayedBundle(), Told())
        PlayedCoreML.set { what in
            if what == "compile" {
                told.add("compile")
                told.block("go")
            }
        }
        let first = Task { try await bundle.open().variant }
        await told.wait { $0.contains("compile") }
        let second = Task { try await bundle.open().variant }
        try await Task.sleep(for: .milliseconds(10))
        second.cancel()
        do {
            _ = try await second.value
            XCTFail("it was cancelled")
        } catch is CancellationError {}
        XCTAssertEqual(told.all, ["compile"])
        told.add("go")
        let variant = try await first.value
        XCTAssertEqual(variant, "a")
    }

    /// A model that gives another size than the manifest says is a sentence, not a picture.
    func testAModelThatGivesAnotherSize() async throws {
        await assertFails("Core ML gives no output 'out' of shape [1, 3, 8, 8]") {
            try await PlayedBundle(["a": "invert out:12"]).open()
        }
        await assertFails("Core ML gives no output 'out'") { try await PlayedBundle(["a": "invert other"]).open() }
    }
}
