import AVFoundation
import Foundation
import XCTest

@testable import Edgebundle

/// Whole videos through the shipped classes, over a stand-in that plays the reader and the writer of files.
final class VideoFileTests: XCTestCase {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    private var output: URL { folder.appendingPathComponent("out.mp4") }

    override func setUp() async throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        (PlayedMovie.encodes, PlayedMovie.takesSound, PlayedMovie.finishes) = (.max, true, true)
    }

    /// A video of frames of one colour each, 30 a second, with a packet of sound each 20 ms.
    private func movie(_ words: [UInt32], sounds: Int = 0, _ change: (PlayedMovie) -> Void = { _ in }) throws -> URL {
        let movie = PlayedMovie()
        movie.frames = words.enumerated().map {
            (frame(16, 8, $1), CMTime(value: Int64($0) * 1001, timescale: 30_000))
        }
        movie.sounds = (0..<sounds).map { ($0, CMTime(value: Int64($0) * 20, timescale: 1000)) }
        change(movie)
        let url = folder.appendingPathComponent("in \(UUID().uuidString).mp4")
        try movie.write(to: url)
        return url
    }

    private func failure(_ work: () async throws -> Void) async -> VideoError? {
        do {
            try await work()
        } catch let error as VideoError {
            return error
        } catch {
            XCTFail("\(error) is no VideoError")
        }
        return nil
    }

    /// Each frame comes out inverted with its own time, the sound is copied, and progress goes from 0 to 1.
    func testKeepsFramesTimesAndSound() async throws {
        let words: [UInt32] = [0xff10_2030, 0xff10_2030, 0xffe0_d0c0, 0xff40_5060]
        let (input, told) = (try movie(words, sounds: 7), Told())
        let model = try await PlayedBundle().open()
        let made = try await model.stylizeVideo(input, to: output, every: 1) { told.add("\($0)") }
        XCTAssertEqual(
            made, VideoMade(width: 8, height: 8, frames: 4, keys: 4, hasSound: true, notes: []))
        let written = try PlayedMovie.read(output)
        XCTAssertEqual(written.frames.map { firstWord($0.buffer) }, inverted(words))
        XCTAssertEqual(written.frames.map { $0.time.microseconds }, [0, 33_367, 66_733, 100_100])
        XCTAssertEqual(written.sounds.map(\.number), Array(0..<7))
        XCTAssertEqual(told.all.last, "1.0")
        XCTAssertEqual(told.all.compactMap(Double.init), told.all.compactMap(Double.init).sorted())
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path).count, 2)
    }

    /// The network sees the frame as it is shown, whatever way the phone was held.
    func testTurnsFrames() async throws {
        let input = try movie([0xff00_0000]) {
            let buffer = $0.frames[0].buffer
            let row = CVPixelBufferGetBaseAddress(buffer)!.assumingMemoryBound(to: UInt32.self)
            for x in 0..<16 { row[x] = 0xff00_00ff }  // blue along the stored top
            $0.transform = CGAffineTransform(a: 0, b: 1, c: -1, d: 0, tx: 8, ty: 0)
        }
        let model = try await PlayedBundle().open()
        _ = try await model.processVideo(input, to: output)
        let shown = try PlayedMovie.read(output).frames[0].buffer
        let row = CVPixelBufferGetBaseAddress(shown)!.assumingMemoryBound(to: UInt32.self)
        XCTAssertEqual(row[7], 0xffff_ff00, "the stored top is the right side")
        XCTAssertEqual(row[0], 0xffff_ffff)
    }

    /// The network runs on every k-th frame, and on the first of another scene.
    func testRunsTheNetworkOnKeys() async throws {
        let words = [UInt32](repeating: 0xff20_2020, count: 7) + [UInt32](repeating: 0xffe0_e0e0, count: 3)
        let model = try await PlayedBundle().open()
        let made = try await model.processVideo(try movie(words), to: output, every: 3)
        XCTAssertEqual([made.frames, made.keys], [10, 4])
        let written = try PlayedMovie.read(output)
        XCTAssertEqual(written.frames.map { firstWord($0.buffer) }, inverted(words))
    }

    /// What fails is said by its kind, and nothing is left at the output's place, nor beside it.
    func testSaysWhatFailed() async throws {
        let model = try await PlayedBundle().open()
        let words = [UInt32](repeating: 0xff20_2020, count: 5)
        let text = folder.appendingPathComponent("text.mp4")
        try Data("no video".utf8).write(to: text)
        let soundOnly = try movie([], sounds: 3)
        let broken = try movie(words) { $0.decodes = 2 }
        let slanted = try movie(words) {
            $0.transform = CGAffineTransform(a: 0.7, b: 0.7, c: -0.7, d: 0.7, tx: 0, ty: 0)
        }
        let good = try movie(words)
        let nowhere = folder.appendingPathComponent("absent/out.mp4")
        let cases: [(URL, URL, VideoError.Problem, String)] = [
            (text, output, .input, "cannot be read as a video"), (soundOnly, output, .input, "no track of pictures"),
            (folder.appendingPathComponent("absent.mp4"), output, .input, "cannot be read as a video"),
            (slanted, output, .input, "no right angle"), (broken, output, .decoder, "cannot be decoded"),
            (good, nowhere, .output, "cannot be written"),
        ]
        for (input, output, problem, says) in cases {
            let error = await failure { _ = try await model.processVideo(input, to: output) }
            XCTAssertEqual(error?.problem, problem, says)
            XCTAssertTrue(error?.message.contains(says) == true, error?.message ?? "none")
        }
        PlayedMovie.encodes = 3
        let encoder = await failure { _ = try await model.processVideo(good, to: output) }
        XCTAssertEqual(encoder?.problem, .encoder)
        (PlayedMovie.encodes, PlayedMovie.finishes) = (.max, false)
        let end = await failure { _ = try await model.processVideo(good, to: output) }
        XCTAssertEqual(end?.message.contains("the end of the video"), true)
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        XCTAssertEqual(left.filter { $0.hasPrefix("out") || $0.hasPrefix(".") }, [])
    }

    /// Sound that no .mp4 holds is left out, and that is said.
    func testSaysThatSoundIsLeftOut() async throws {
        PlayedMovie.takesSound = false
        let model = try await PlayedBundle().open()
        let made = try await model.processVideo(try movie([0xff00_0000], sounds: 2), to: output)
        XCTAssertFalse(made.hasSound)
        XCTAssertEqual(made.notes, ["its sound cannot be put into an .mp4 and is left out"])
    }

    /// A cancelled task ends it, and an existing file at the output's place stays as it was.
    func testIsCancelledWithItsTask() async throws {
        try Data("mine".utf8).write(to: output)
        let (model, input, told) = (
            try await PlayedBundle().open(), try movie([UInt32](repeating: 0xff20_2020, count: 400)), Told()
        )
        let (output, work) = (output, { @Sendable (done: Double) in told.add("\(done)") })
        let task = Task { try await model.processVideo(input, to: output, progress: work) }
        await told.wait { $0.count > 3 }
        task.cancel()
        do {
            _ = try await task.value
            XCTFail("it ended well")
        } catch {
            XCTAssertTrue(error is CancellationError, "\(error)")
        }
        XCTAssertEqual(try String(contentsOf: output, encoding: .utf8), "mine")
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path).count, 2)
    }
}
