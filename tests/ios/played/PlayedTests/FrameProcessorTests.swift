import CoreML
import CoreVideo
import Foundation
import XCTest

@testable import Edgebundle

final class FrameProcessorTests: XCTestCase {
    override func setUp() { PlayedCoreML.set(hook: nil) }

    /// Frames come out styled with their times; one in another format is told, and the next one goes on; after the end
    /// they are refused.
    func testStylesFrames() async throws {
        let (model, told) = (try await PlayedBundle().open(), Told())
        let processor = try FrameProcessor(model) { told.add($0.localizedDescription) }
        var frames = processor.frames.makeAsyncIterator()
        for (number, word): (Int, UInt32) in [(1, 0xff10_20ff), (2, 0xff10_20ff)] {
            XCTAssertTrue(processor.submit(VideoFrame(frame(16, 8, word), seconds: Double(number))))
            let styled = await frames.next()
            XCTAssertEqual(styled?.seconds, Double(number))
            XCTAssertEqual(styled.map { firstWord($0.pixelBuffer) }, 0xff00_0000 | ~word & 0xff_ffff)
        }
        processor.submit(VideoFrame(frame(16, 8, 0, format: 0x3432_3066), seconds: 3))
        await told.wait { $0.contains { $0.contains("is not 32-bit BGRA") } }
        processor.submit(VideoFrame(frame(16, 8, 0xff00_00ff), seconds: 4))
        let later = await frames.next()
        XCTAssertEqual(later?.seconds, 4)
        processor.finish()
        let end = await frames.next()
        XCTAssertNil(end)
        XCTAssertFalse(processor.submit(VideoFrame(frame(16, 8, 0), seconds: 5)))
    }

    /// A network that fails for a frame is told, and the next frame goes on.
    func testANetworkThatFailsIsTold() async throws {
        let (model, told) = (try await PlayedBundle().open(), Told())
        PlayedCoreML.set { what in
            if what == "predict" && PlayedCoreML.count("predict") == 1 {
                throw PlayedCoreML.Refused(errorDescription: "no memory now")
            }
        }
        let processor = try FrameProcessor(model) { told.add($0.localizedDescription) }
        var frames = processor.frames.makeAsyncIterator()
        processor.submit(VideoFrame(frame(8, 8, 0xff00_00ff), seconds: 1))
        await told.wait { $0.count == 1 }
        processor.submit(VideoFrame(frame(8, 8, 0xff00_00ff), seconds: 2))
        let styled = await frames.next()
        XCTAssertEqual(styled?.seconds, 2)
        XCTAssertTrue(told.all[0].contains("no memory now"))
    }

    /// A processor does not outlive its last reference, ends only its own work, and leaves another call on the model
    /// alone.
    func testEndsWithItsOwner() async throws {
        let (model, told) = (try await PlayedBundle().open(), Told())
        PlayedCoreML.set { what in
            if what == "predict" {
                told.add("predict")
                told.block("go")
            }
        }
        let photo = Photo(playedImage(8, 8, numbered(8, 8)))
        let picture = Task { try await model.process(photo.image).width }
        await told.wait { $0.contains("predict") }
        var processor: FrameProcessor? = try FrameProcessor(model)
        let frames = processor!.frames
        processor!.submit(VideoFrame(frame(8, 8, 0xff00_00ff), seconds: 1))
        weak var gone = processor
        processor = nil
        XCTAssertNil(gone)
        var shown = 0
        for await _ in frames { shown += 1 }
        XCTAssertEqual(shown, 0)
        told.add("go")
        let width = try await picture.value
        XCTAssertEqual(width, 8)
    }

    /// A hot phone shows half the size.
    func testShrinksWhereItIsHot() async throws {
        ProcessInfo.played = .serious
        defer { ProcessInfo.played = .nominal }
        let model = try await PlayedBundle().open()
        let processor = try FrameProcessor(model)
        var frames = processor.frames.makeAsyncIterator()
        processor.submit(VideoFrame(frame(8, 8, 0xff00_00ff), seconds: 1))
        let styled = await frames.next()
        XCTAssertEqual(styled.map { CVPixelBufferGetWidth($0.pixelBuffer) }, 4)
        XCTAssertEqual(styled.map { firstWord($0.pixelBuffer) }, 0xffff_ff00)
    }
}
