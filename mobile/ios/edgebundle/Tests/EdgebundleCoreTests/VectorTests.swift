import Foundation
import XCTest

@testable import EdgebundleCore

private struct VectorFile<Case: Decodable>: Decodable { let cases: [Case] }

/// The cases of a file of docs/formats/vectors.
func vectors<Case: Decodable>(_ file: String, _: Case.Type) throws -> [Case] {
    let cases = try JSONDecoder().decode(VectorFile<Case>.self, from: Data(contentsOf: testData("vectors/\(file)")))
        .cases
    XCTAssertFalse(cases.isEmpty)
    return cases
}

/// Opaque pixels of RGB bytes.
private func pixels(_ rgb: Data) -> [UInt32] {
    (0..<rgb.count / 3).map {
        0xff00_0000 | UInt32(rgb[3 * $0]) << 16 | UInt32(rgb[3 * $0 + 1]) << 8 | UInt32(rgb[3 * $0 + 2])
    }
}

/// Little-endian 32-bit words.
private func words(_ data: Data) -> [UInt32] {
    data.withUnsafeBytes { bytes in
        (0..<bytes.count / 4).map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
    }
}

/// A picture whose every pixel tells where it is.
private struct Noise: PixelSource {
    let width: Int
    let height: Int

    func read(left: Int, top: Int, width: Int, height: Int, into argb: inout [UInt32]) {
        for y in 0..<height {
            for x in 0..<width {
                argb[y * width + x] = 0xff00_0000 | UInt32(((left + x) * 7919 + (top + y) * 104729) & 0xff_ffff)
            }
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
                XCTAssertThrowsError(try Tiler(input, scale: 1, one.facts), "\(one)") {
                    XCTAssertTrue($0 is BundleError)
                }
            } else {
                let tiler = try Tiler(input, scale: 1, one.facts)
                XCTAssertEqual(
                    [tiler.margin, tiler.band, tiler.multiple], [one.margin, one.band, one.multiple], "\(one)")
            }
        }
    }

    /// Tiles make the same picture.
    func testTilesMakeTheSamePicture() throws {
        for one in try vectors("tiling.json", TilingCase.self) {
            guard let picture = one.picture, let scale = one.scale, let margin = one.margin, let band = one.band,
                let multiple = one.multiple
            else { continue }
            let (tileHeight, tileWidth, height, width) = (one.tile[0], one.tile[1], picture[0], picture[1])
            let tiler = Tiler(
                tileWidth: tileWidth, tileHeight: tileHeight, scale: scale, margin: margin, band: band,
                multiple: multiple)
            XCTAssertEqual(tiler.starts(height, tileHeight), one.rows)
            XCTAssertEqual(tiler.starts(width, tileWidth), one.columns)
            var (number, result): (UInt32, [UInt32]) = (0, [])
            try tiler.run(
                Noise(width: width, height: height),
                render: { tile, into in
                    let wide = tileWidth * scale
                    for i in into.indices {
                        let pixel = tile[i / wide / scale * tileWidth + i % wide / scale]
                        func added(_ shift: UInt32) -> UInt32 {
                            ((((pixel >> shift) & 0xff) + 37 * number) & 0xff) << shift
                        }
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

    /// Pictures carried between key frames are those of Python.
    func testCarriedPictures() throws {
        struct Step: Decodable {
            let origin: [Int]
            let patch: [Int]
            let inverted: Bool
            let finish: Bool
            let cut: Bool
            let begin: Bool
            let sha256: String?
            let half: String?
        }
        struct Carried: Decodable {
            let size: [Int]
            let fade: Int
            let steps: [Step]
        }
        for one in try vectors("carrying.json", Carried.self) {
            let (height, width) = (one.size[0], one.size[1])
            let carrier = FrameCarrier(width: width, height: height)
            var running: [UInt32] = []
            for (number, step) in one.steps.enumerated() {
                if step.finish { carrier.finish(running.map(restyled)) }
                let frame = textured(height, width, step.origin, step.patch, step.inverted)
                carrier.advance(frame)
                XCTAssertEqual(carrier.isCut, step.cut, "\(one.size), step \(number)")
                if step.begin {
                    running = frame
                    carrier.begin(frame)
                }
                for (divisor, wanted) in [(1, step.sha256), (2, step.half)] where wanted != nil {
                    let shown = carrier.picture(frame, fade: one.fade, divisor: divisor)
                    let bytes = Data(shown.flatMap { [UInt8($0 >> 16 & 255), UInt8($0 >> 8 & 255), UInt8($0 & 255)] })
                    XCTAssertEqual(sha256(bytes), wanted, "\(one.size), step \(number), 1/\(divisor)")
                }
            }
        }
    }

    /// Of a sparse picture the same pixels are taken.
    func testSparsePictures() throws {
        struct Sparse: Decodable {
            let size: [Int]
            let pixels: Data
            let sparse: Data
        }
        for one in try vectors("sparse.json", Sparse.self) {
            let found = sparsePixels(pixels(one.pixels), width: one.size[1], height: one.size[0])
            XCTAssertEqual(found, pixels(one.sparse))
        }
    }

    /// Classifiers name the same labels.
    func testLabels() throws {
        struct LabelCase: Decodable {
            let values: Data
            let names: [String]
            let most: Int
            let labels: [String]
            let places: [Int]
        }
        for one in try vectors("labels.json", LabelCase.self) {
            let values = words(one.values).map { Float(bitPattern: $0) }
            let found = labels(of: values, names: one.names, most: one.most)
            XCTAssertEqual(found.map(\.name), one.labels)
            XCTAssertEqual(found.map(\.score.bitPattern), one.places.map { values[$0].bitPattern })
        }
    }

    /// Verdicts and their words are those of the harness.
    func testVerdicts() throws {
        for one in try vectors("verdicts.json", VerdictCase.self) {
            func state(_ status: Double?) -> Conditions {
                Conditions(
                    temperatureC: .missing("degC", "none"),
                    thermalStatus: status.map { .of($0, "status") } ?? .missing("status", "none"),
                    batteryPercent: .of(80, "%"),
                    charging: .of("no"))
            }
            let samples = one.samples.enumerated().map {
                Sample(
                    seconds: Double($0.offset), probe: Probe.thermalStatus.rawValue, value: $0.element, unit: "status")
            }
            let device = DeviceInfo(
                kind: "ios", id: "d", model: .of("m"), soc: .missing("no"), os: .of("o"), build: .of("b"),
                abi: .of("arm64"))
            let seen = RunRecord.Seen(
                startedAt: "", device: device, simulated: nil, start: state(one.start), end: state(one.end), loadNs: 0,
                peakMemoryBytes: .of(0, "B"),
                samples: samples, wasHidden: one.hidden)
            let found = edgebundleVerdict(one.golden, requested: one.requested, executed: one.executed, seen)
            XCTAssertEqual(found.words, one.words)
            XCTAssertEqual(found, one.verdict)
            XCTAssertEqual(try JSONDecoder().decode(Verdict.self, from: JSONEncoder().encode(found)), one.verdict)
        }
    }

    /// Probes have the names and units of the harness.
    func testProbes() throws {
        struct ProbeCase: Decodable {
            let probe: String
            let unit: String
            let ios: Bool
        }
        let known = try vectors("probes.json", ProbeCase.self).filter(\.ios)
        XCTAssertEqual(
            Dictionary(uniqueKeysWithValues: known.map { ($0.probe, $0.unit) }),
            Dictionary(uniqueKeysWithValues: Probe.allCases.map { ($0.rawValue, $0.unit) }))
    }

    /// Phones are known by the same names, and the same ones count as one.
    func testPhones() throws {
        struct PhoneCase: Decodable {
            let told: [String?]
            let phone: Phone
            let same: [Int]
        }
        let cases = try vectors("phones.json", PhoneCase.self)
        let phones = cases.map { one in
            Phone(
                socManufacturer: one.told[0], socModel: one.told[1], board: one.told[2], hardware: one.told[3],
                manufacturer: one.told[4], model: one.told[5])
        }
        XCTAssertEqual(phones, cases.map(\.phone))
        for (number, one) in cases.enumerated() {
            XCTAssertEqual(
                phones.indices.filter { $0 != number && phones[number].isSame(as: phones[$0]) }, one.same, "\(one.told)"
            )
        }
    }

    /// Variants are tried in the same order.
    func testChoice() throws {
        struct Entry: Decodable {
            let id: String
            let backend: String
            let delegate: String
            let predicted_peak_memory_bytes: Int
        }
        struct ChoiceCase: Decodable {
            let variants: [Entry]
            let engines: [String]
            let rankings: [Ranking]
            let phone: Phone
            let free: Int?
            let order: [String]
        }
        let data =
            try JSONSerialization.jsonObject(with: Data(contentsOf: testData("vectors/choice.json"))) as? [String: Any]
        let raw = try XCTUnwrap(data?["cases"] as? [[String: Any]])
        for (number, one) in try vectors("choice.json", ChoiceCase.self).enumerated() {
            let variants = one.variants.map {
                variantText(
                    id: $0.id, backend: $0.backend, delegate: $0.delegate, memory: $0.predicted_peak_memory_bytes)
            }
            let rankings = String(
                decoding: try JSONSerialization.data(withJSONObject: raw[number]["rankings"] as Any), as: UTF8.self)
            let read = try manifest(manifestText(variants: variants, rankings: rankings))
            let choice = chooseVariants(
                read, engines: Set(one.engines),
                facts: DeviceFacts(phone: one.phone, freeMemoryBytes: one.free, system: 18))
            XCTAssertEqual(choice.order.map(\.id), one.order, "case \(number)")
        }
    }
}

private struct VerdictCase: Decodable {
    let golden: GoldenResult?
    let requested: String
    let executed: TextReading
    let hidden: Bool
    let start: Double?
    let end: Double?
    let samples: [Double]
    let verdict: Verdict
    let words: String
}

/// What stands for a network in carrying.json: blue, 255 - red, green.
private func restyled(_ pixel: UInt32) -> UInt32 {
    0xff00_0000 | (pixel & 255) << 16 | (255 - (pixel >> 16 & 255)) << 8 | pixel >> 8 & 255
}

/// A frame of carrying.json, which tells how it is made.
private func textured(_ height: Int, _ width: Int, _ origin: [Int], _ patch: [Int], _ inverted: Bool) -> [UInt32] {
    var frame = (0..<height * width).map { textured(origin[0] + $0 / width, origin[1] + $0 % width) }
    for y in 0..<patch[2] {
        for x in 0..<patch[3] where patch[0] + y < height && patch[1] + x < width {
            frame[(patch[0] + y) * width + patch[1] + x] = textured(patch[4] + y, patch[5] + x)
        }
    }
    return inverted ? frame.map { $0 ^ 0xff_ffff } : frame
}

private func textured(_ y: Int, _ x: Int) -> UInt32 {
    func hash(_ i: Int, _ j: Int, _ k: Int) -> Int {
        Int((UInt32(7919 * i + 104729 * j + 1_299_709 * k) &* 2_654_435_761) >> 24)
    }
    func value(_ c: Int) -> Int {
        let (i, j, fy, fx) = (y >> 3, x >> 3, y & 7, x & 7)
        let upper = hash(i, j, c) * (8 - fx) + hash(i, j + 1, c) * fx
        let lower = hash(i + 1, j, c) * (8 - fx) + hash(i + 1, j + 1, c) * fx
        let smooth = (upper * (8 - fy) + lower * fy) >> 6
        return ((smooth * 240) >> 8) + (hash(y, x, c + 3) >> 4)
    }
    return (0..<3).reduce(0xff00_0000) { $0 | UInt32(value($1)) << UInt32(16 - 8 * $1) }
}
