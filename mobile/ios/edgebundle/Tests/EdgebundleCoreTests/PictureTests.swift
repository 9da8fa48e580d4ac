import Foundation
import XCTest

@testable import EdgebundleCore

final class PictureTests: XCTestCase {
    /// A golden picture goes through the codec and back to the same bytes.
    func testGoldenPicturesSurvive() throws {
        let loader = try ModelLoader(root: testData("bundle"), reader: rawReader, engines: [:])
        let golden = loader.manifest.goldens[0].inputs[0]
        let spec = loader.manifest.inputs[0]
        let pixels = try loader.goldens.picture(golden, spec)
        let binding = Binding(
            name: "x", index: 0, layout: .nhwc, shape: [1, spec.height, spec.width, 3], dtype: "float32")
        let (codec, buffer) = (try PictureCodec(spec, binding), try TensorBuffer(binding))
        var back = [UInt32](repeating: 0, count: pixels.argb.count)
        pixels.argb.withUnsafeBufferPointer { codec.encode($0, into: buffer) }
        back.withUnsafeMutableBufferPointer { codec.decode(buffer, into: $0) }
        XCTAssertEqual(back, pixels.argb)
    }

    /// A video's transform and the orientation that it is read by lead each stored pixel to the same place.
    func testReadsTransformsOfVideos() throws {
        struct Numbers {
            let a, b, c, d: Double
        }
        let digits: [Double] = [0, 1, -1]
        let numbers = (0..<81).map {
            Numbers(a: digits[$0 % 3], b: digits[$0 / 3 % 3], c: digits[$0 / 9 % 3], d: digits[$0 / 27])
        }
        for turn in PictureOrientation.allCases {
            let fitting = numbers.filter { PictureOrientation(a: $0.a, b: $0.b, c: $0.c, d: $0.d) == turn }
            XCTAssertEqual(fitting.count, 1, "\(turn)")
            let one = try XCTUnwrap(fitting.first)
            // along x and along y of the upright picture the stored pixel moves by the turn backwards
            let (origin, right) = (turn.stored(0, 0, width: 5, height: 9), turn.stored(1, 0, width: 5, height: 9))
            let step = (x: Double(right.x - origin.x), y: Double(right.y - origin.y))
            XCTAssertEqual(one.a * step.x + one.c * step.y, 1, "\(turn)")
            XCTAssertEqual(one.b * step.x + one.d * step.y, 0, "\(turn)")
        }
        XCTAssertNil(PictureOrientation(a: 0.7, b: 0.7, c: -0.7, d: 0.7))
        XCTAssertNil(PictureOrientation(a: 1e300, b: 0, c: 0, d: 1))
    }

    /// What is not a number becomes 0, what is beyond the range its end.
    func testClampsWhatIsOutOfRange() throws {
        let spec = try manifest(manifestText(width: 1, height: 2)).inputs[0]
        let binding = Binding(name: "image", index: 0, layout: .nchw, shape: [1, 3, 2, 1], dtype: "float32")
        let (codec, buffer) = (try PictureCodec(spec, binding), try TensorBuffer(binding))
        for (at, value) in [Float.nan, .infinity, -.infinity, 2, -1, 0.5].enumerated() { buffer.floats[at] = value }
        var pixels: [UInt32] = [0, 0]
        pixels.withUnsafeMutableBufferPointer { codec.decode(buffer, into: $0) }
        XCTAssertEqual(pixels, [0xff00_0000, 0xffff_ff80])
    }

    /// An artifact that takes pictures itself is given the pixels as they are.
    func testImageBordersHoldPixels() throws {
        let spec = try manifest(manifestText(width: 2, height: 1)).inputs[0]
        let binding = Binding(name: "image", index: 0, layout: .image, shape: [1, 3, 1, 2], dtype: "float32")
        let (codec, buffer) = (try PictureCodec(spec, binding), try TensorBuffer(binding))
        let pixels: [UInt32] = [0x0012_3456, 0xff65_4321]
        pixels.withUnsafeBufferPointer { codec.encode($0, into: buffer) }
        XCTAssertEqual(Array(buffer.bytes.prefix(4)), [0x56, 0x34, 0x12, 0xff])  // BGRA in memory
        var back: [UInt32] = [0, 0]
        back.withUnsafeMutableBufferPointer { codec.decode(buffer, into: $0) }
        XCTAssertEqual(back, [0xff12_3456, 0xff65_4321])
    }

    /// The centred part of the model's proportions is shown, or all of it.
    func testCrops() throws {
        let spec = try manifest(manifestText(width: 4, height: 4)).inputs[0]
        XCTAssertEqual(crop(width: 100, height: 50, for: spec), Crop(left: 25, top: 0, width: 50, height: 50))
        XCTAssertEqual(crop(width: 3, height: 100, for: spec), Crop(left: 0, top: 48, width: 3, height: 3))
    }

    /// Weights 0 and 256 give the pictures themselves, the half the rounded mean.
    func testBlends() {
        XCTAssertEqual(Blend.pixel(0xff10_2030, 0xff90_a0b0, 0), 0xff10_2030)
        XCTAssertEqual(Blend.pixel(0xff10_2030, 0xff90_a0b0, 256), 0xff90_a0b0)
        XCTAssertEqual(Blend.pixel(0xff10_2030, 0xff90_a0b0, try Blend.weight(0.5)), 0xff50_6070)
        for wrong in [-0.1, 1.5, Float.nan] { XCTAssertThrowsError(try Blend.weight(wrong), "\(wrong)") }
    }

    /// Transparent pixels are composed on white by the formula of docs/sdk-rules.md, for each colour and alpha that
    /// there is.
    func testComposesOnWhite() {
        for alpha in 0...255 {
            var pixels: [UInt32] = (0...255).map { colour in
                let premultiplied = UInt32((colour * alpha + 127) / 255)
                return UInt32(alpha) << 24 | premultiplied * 0x10101
            }
            composeOnWhite(&pixels)
            for colour in 0...255 {
                let wanted = UInt32((colour * alpha + 255 * (255 - alpha) + 127) / 255)
                XCTAssertEqual(pixels[colour], 0xff00_0000 | wanted * 0x10101, "colour \(colour), alpha \(alpha)")
            }
        }
    }

    /// Pictures that a camera stored in each of the eight ways stand upright, whole and in parts, as Python turns them
    /// by EXIF.
    func testTurnsPictures() throws {
        struct Turned: Decodable {
            let orientation: Int
            let width: Int
            let height: Int
            let pixels: [UInt32]
        }
        struct Vector: Decodable {
            let width: Int
            let height: Int
            let pixels: [UInt32]
            let turned: [Turned]
        }
        let vector = try JSONDecoder().decode(Vector.self, from: Data(contentsOf: testData("orientations.json")))
        let stored = Pixels(width: vector.width, height: vector.height, argb: vector.pixels)
        XCTAssertEqual(vector.turned.map(\.orientation), PictureOrientation.allCases.map(\.rawValue))
        for turned in vector.turned {
            let orientation = try XCTUnwrap(PictureOrientation(rawValue: turned.orientation))
            let upright = UprightPixels(stored, orientation)
            XCTAssertEqual(
                upright.whole(), Pixels(width: turned.width, height: turned.height, argb: turned.pixels),
                "\(orientation)")
            // a part of the upright picture, read as such, and cut from the stored one and then turned
            let part = Crop(left: 1, top: 1, width: turned.width - 2, height: turned.height - 1)
            var read = [UInt32](repeating: 0, count: part.width * part.height)
            upright.read(left: part.left, top: part.top, width: part.width, height: part.height, into: &read)
            let cut = orientation.stored(part, width: stored.width, height: stored.height)
            var piece = [UInt32](repeating: 0, count: cut.width * cut.height)
            stored.read(left: cut.left, top: cut.top, width: cut.width, height: cut.height, into: &piece)
            XCTAssertEqual(
                UprightPixels(Pixels(width: cut.width, height: cut.height, argb: piece), orientation).whole().argb,
                read, "\(orientation)")
        }
    }

    /// Labels come best first, equal ones in the network's order, what is no number last.
    func testRanksLabels() {
        let all = labels(of: [0.1, .nan, 0.7, 0.7], names: ["a", "b", "c"], most: 9)
        XCTAssertEqual(all.map(\.name), ["c", "3", "a", "b"])
        XCTAssertEqual(labels(of: [1, 2], names: [], most: 1), [ScoredLabel(name: "1", score: 2)])
    }

    /// A frame is averaged to the model's size, row padding and all, or repeated where it is smaller.
    func testFitsFrames() {
        let rows: [[UInt32]] = [
            [0xff00_0010, 0xff00_0030, 0xff64_0000, 0xff64_0000, 7],
            [0xff00_0010, 0xff00_0031, 0xff64_0000, 0xff64_0000, 7],
        ]
        var small: [UInt32] = [0, 0]
        rows.flatMap { $0 }.withUnsafeBytes { bytes in
            FrameFitter.fit(
                bytes.baseAddress!, bytesPerRow: 20, part: Crop(left: 0, top: 0, width: 4, height: 2), width: 2,
                height: 1, into: &small)
        }
        XCTAssertEqual(small, [0xff00_0020, 0xff64_0000])
        var large = [UInt32](repeating: 0, count: 4)
        rows[0].withUnsafeBytes { bytes in
            FrameFitter.fit(
                bytes.baseAddress!, bytesPerRow: 20, part: Crop(left: 1, top: 0, width: 2, height: 1), width: 4,
                height: 1, into: &large)
        }
        XCTAssertEqual(large, [0xff00_0030, 0xff00_0030, 0xff64_0000, 0xff64_0000])
    }
}
