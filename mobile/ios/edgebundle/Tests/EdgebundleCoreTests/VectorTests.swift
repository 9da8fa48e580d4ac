import Foundation
import XCTest

@testable import EdgebundleCore

private struct VectorFile<Case: Decodable>: Decodable { let cases: [Case] }

/// The cases of a file of docs/formats/vectors.
func vectors<Case: Decodable>(_ file: String, _: Case.Type) throws -> [Case] {
    let cases = try JSONDecoder().decode(VectorFile<Case>.self, from: Data(contentsOf: testData("vectors/\(file)"))).cases
    XCTAssertFalse(cases.isEmpty)
    return cases
}

/// Opaque pixels of RGB bytes.
private func pixels(_ rgb: Data) -> [UInt32] {
    (0..<rgb.count / 3).map { 0xff00_0000 | UInt32(rgb[3 * $0]) << 16 | UInt32(rgb[3 * $0 + 1]) << 8 | UInt32(rgb[3 * $0 + 2]) }
}

/// Little-endian 32-bit words.
private func words(_ data: Data) -> [UInt32] {
    data.withUnsafeBytes { bytes in (0..<bytes.count / 4).map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) } }
}

/// A picture whose every pixel tells where it is.
private struct Noise: PixelSource {
    let width: Int
    let height: Int

    func read(left: Int, top: Int, width: Int, height: Int, into argb: inout [UInt32]) {
        for y in 0..<height {
            for x in 0..<width { argb[y * width + x] = 0xff00_0000 | UInt32(((left + x) * 7919 + (top + y) * 104729) & 0xff_ffff) }
        }
    }
}

private struct TilingCase: Decodable {
    let tile: [Int]
    let facts: Tiling?
    let refused: Bool?
    let margin: Int?
    let band: Int?
    let multiple: Int?
    let picture: [Int]?
    let scale: Int?
    let rows: [Int]?
    let columns: [Int]?
    let result: Data?
}

private struct PictureCase: Decodable {
    let id: String
    let spec: TensorSpec
    let binding: Binding
    let pixels: Data
    let tensor: Data
    let output: Data
    let output_pixels: Data
}

/// What Python wrote for all three languages: equal bytes, not nearly equal values. Kotlin reads the same files.
final class VectorTests: XCTestCase {
    /// A bundle's facts give the same tiles, or are refused.
    func testTilesFollowTheFacts() throws {
        for one in try vectors("tiling.json", TilingCase.self) where one.picture == nil {
            let input = try manifest(manifestText(width: one.tile[1], height: one.tile[0])).inputs[0]
            if one.refused == true {
                XCTAssertThrowsError(try Tiler(input, scale: 1, one.facts), "\(one)") { XCTAssertTrue($0 is BundleError) }
            } else {
                let tiler = try Tiler(input, scale: 1, one.facts)
                XCTAssertEqual([tiler.margin, tiler.band, tiler.multiple], [one.margin, one.band, one.multiple], "\(one)")
            }
        }
    }

    /// Tiles make the same picture.
    func testTilesMakeTheSamePicture() throws {
        for one in try vectors("tiling.json", TilingCase.self) {
            guard let picture = one.picture, let scale = one.scale, let margin = one.margin, let band = one.band, let multiple = one.multiple else { continue }
            let (tileHeight, tileWidth, height, width) = (one.tile[0], one.tile[1], picture[0], picture[1])
            let tiler = Tiler(tileWidth: tileWidth, tileHeight: tileHeight, scale: scale, margin: margin, band: band, multiple: multiple)
            XCTAssertEqual(tiler.starts(height, tileHeight), one.rows)
            XCTAssertEqual(tiler.starts(width, tileWidth), one.columns)
            var (number, result): (UInt32, [UInt32]) = (0, [])
            try tiler.run(
                Noise(width: width, height: height),
                render: { tile, into in
                    let wide = tileWidth * scale
                    for i in into.indices {
                        let pixel = tile[i / wide / scale * tileWidth + i % wide / scale]
                        func added(_ shift: UInt32) -> UInt32 { ((((pixel >> shift) & 0xff) + 37 * number) & 0xff) << shift }
                        into[i] = 0xff00_0000 | added(16) | added(8) | added(0)
                    }
                    number += 1
                },
                write: { _, _, rows in result += rows })
            XCTAssertEqual(result, pixels(try XCTUnwrap(one.result)), "\(picture)")
        }
    }

    /// Pictures become the same tensors and tensors the same pictures, to the bit.
    func testPicturesAndTensors() throws {
        for one in try vectors("pictures.json", PictureCase.self) {
            let (codec, buffer) = (try PictureCodec(one.spec, one.binding), try TensorBuffer(one.binding))
            pixels(one.pixels).withUnsafeBufferPointer { codec.encode($0, into: buffer) }
            XCTAssertEqual(buffer.floats.map(\.bitPattern), words(one.tensor), one.id)
            for (at, bits) in words(one.output).enumerated() { buffer.floats[at] = Float(bitPattern: bits) }
            var back = [UInt32](repeating: 0, count: one.pixels.count / 3)
            back.withUnsafeMutableBufferPointer { codec.decode(buffer, into: $0) }
            XCTAssertEqual(back, pixels(one.output_pixels), one.id)
        }
    }

    /// What is transparent is composed on white.
    func testTransparentPictures() throws {
        struct Transparent: Decodable {
            let premultiplied: Data
            let opaque: Data
        }
        for one in try vectors("transparency.json", Transparent.self) {
            var argb = words(one.premultiplied).map { $0.byteSwapped }.map { $0 >> 8 | $0 << 24 }  // RGBA bytes
            composeOnWhite(&argb)
            XCTAssertEqual(argb, pixels(one.opaque))
        }
    }
}
