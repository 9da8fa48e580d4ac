import Foundation
import XCTest

@testable import EdgebundleCore

final class PictureTests: XCTestCase {
    /// A golden picture goes through the codec and back to the same bytes.
    func testGoldenPicturesSurvive() throws {
        let loader = try ModelLoader(root: testData("bundle"), reader: rawReader, engines: [:])
        let golden = loader.manifest.goldens[0].inputs[0]
        let pixels = try loader.goldens.picture(golden)
        let spec = loader.manifest.inputs[0]
        let binding = Binding(name: "x", index: 0, layout: .nhwc, shape: [1, spec.height, spec.width, 3], dtype: "float32")
        let (codec, buffer) = (try PictureCodec(spec, binding), try TensorBuffer(binding))
        var back = [UInt32](repeating: 0, count: pixels.argb.count)
        pixels.argb.withUnsafeBufferPointer { codec.encode($0, into: buffer) }
        back.withUnsafeMutableBufferPointer { codec.decode(buffer, into: $0) }
        XCTAssertEqual(back, pixels.argb)
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
        XCTAssertEqual(Blend.pixel(0xff10_2030, 0xff90_a0b0, Blend.weight(0.5)), 0xff50_6070)
    }

    /// A frame like the key frame is styled as it was, one that shows something else is left alone.
    func testMixesFrames() {
        var mixer = FrameMixer(pixelCount: 2)
        mixer.key([0xff10_1010, 0xff10_1010], styled: [0xff40_1010, 0xff40_1010])
        XCTAssertEqual(mixer.mix([0xff10_1010, 0xfff0_f0f0]), [0xff40_1010, 0xfff0_f0f0])
    }

    /// A frame is averaged to the model's size, row padding and all, or repeated where it is smaller.
    func testFitsFrames() {
        let rows: [[UInt32]] = [[0xff00_0010, 0xff00_0030, 0xff64_0000, 0xff64_0000, 7], [0xff00_0010, 0xff00_0031, 0xff64_0000, 0xff64_0000, 7]]
        var small: [UInt32] = [0, 0]
        rows.flatMap { $0 }.withUnsafeBytes { bytes in
            FrameFitter.fit(bytes.baseAddress!, bytesPerRow: 20, part: Crop(left: 0, top: 0, width: 4, height: 2), width: 2, height: 1, into: &small)
        }
        XCTAssertEqual(small, [0xff00_0020, 0xff64_0000])
        var large = [UInt32](repeating: 0, count: 4)
        rows[0].withUnsafeBytes { bytes in
            FrameFitter.fit(bytes.baseAddress!, bytesPerRow: 20, part: Crop(left: 1, top: 0, width: 2, height: 1), width: 4, height: 1, into: &large)
        }
        XCTAssertEqual(large, [0xff00_0030, 0xff00_0030, 0xff64_0000, 0xff64_0000])
    }

    /// The pace follows the network's time and the heat.
    func testGovernsFrames() {
        var governor = FrameGovernor()
        XCTAssertEqual(governor.pace, FramePace(every: 1, divisor: 1))
        governor.frameAfter(33_000_000)
        governor.networkTook(50_000_000)
        XCTAssertEqual(governor.pace, FramePace(every: 2, divisor: 1))
        governor.isAt(.fair)
        XCTAssertEqual(governor.pace, FramePace(every: 4, divisor: 1))
        governor.isAt(.critical)
        XCTAssertEqual(governor.pace, FramePace(every: 8, divisor: 2))
    }
}
