import CoreGraphics
import Foundation
import ImageIO
import XCTest

@testable import Edgebundle

/// The app's model with a server as its last resort. tests/ios/test_swift_played.py runs the real server target beside
/// it, and names it, its bundle (whose Core ML file the stand-in refuses), and the picture that must come out.
final class ModelOrServerTests: XCTestCase {
    private func named(_ name: String) throws -> String {
        try XCTUnwrap(ProcessInfo.processInfo.environment["EDGEBUNDLE_\(name)"], "start these tests by pytest")
    }

    private func opened(_ consent: @Sendable (RemoteQuestion) async -> Bool) async throws -> ModelOrServer {
        let bundle = URL(fileURLWithPath: try named("BUNDLE"))
        return try await ModelOrServer.open(server: try named("SERVER"), file: bundle, consent: consent)
    }

    /// Where the device can, nobody is asked and nothing is sent.
    func testTheDeviceComesFirst() async throws {
        let bundle = try PlayedBundle()
        let model = try await ModelOrServer.open(server: try named("SERVER"), file: bundle.folder) { _ in
            XCTFail("nobody is to be asked")
            return true
        }
        let made = try await model.process(playedImage(8, 8, numbered(8, 8)))
        XCTAssertNil(made.sent)
        XCTAssertEqual(playedWords(made.image), inverted(numbered(8, 8)))
    }

    /// Where it cannot, the server renders what Python computed, once the user agreed; what was sent is told.
    func testTheServerRenders() async throws {
        let asked = Told()
        let model = try await opened {
            asked.add("\($0.to) \($0.reason)")
            return true
        }
        guard case .server(let server, _, _) = model else { return XCTFail("the device did it") }
        let place = try named("SERVER").replacingOccurrences(of: "http://", with: "")
        XCTAssertEqual(asked.all.count, 1)
        XCTAssertTrue(asked.all[0].hasPrefix("\(place) no variant"), "\(asked.all)")
        let picture = playedImage(64, 64, numbered(64, 64))
        let made = try await model.process(picture)
        let sent = try XCTUnwrap(made.sent)
        XCTAssertEqual(sent.to, place)
        let record = await server.record
        XCTAssertEqual(record, [sent])
        let file = try Data(contentsOf: URL(fileURLWithPath: try named("EXPECTED")))
        let source = try XCTUnwrap(CGImageSourceCreateWithData(file as CFData, nil))
        let wanted = playedWords(try XCTUnwrap(CGImageSourceCreateImageAtIndex(source, 0, nil)))
        for (one, other) in zip(playedWords(made.image), wanted) {
            for shift: UInt32 in [0, 8, 16] {
                XCTAssertLessThanOrEqual(abs(Int(one >> shift & 255) - Int(other >> shift & 255)), 1)
            }
        }
        let original = try await model.process(picture, strength: 0)
        XCTAssertEqual(playedWords(original.image), numbered(64, 64))
        let turned = try await model.process(picture, orientation: .right, strength: 0)
        XCTAssertEqual(
            playedWords(turned.image),
            UprightPixels(Pixels(width: 64, height: 64, argb: numbered(64, 64)), .right).whole().argb)
        await assertFails("strength") { try await model.process(picture, strength: 2) }
    }

    /// Whoever does not agree gets both reasons.
    func testNobodyAgrees() async throws {
        await assertFails("since nobody agreed") { try await self.opened { _ in false } }
        await assertFails("no variant") { try await self.opened { _ in false } }
    }

    /// A network without a picture is no server's: nobody is asked.
    func testAClassifierIsNotAsked() async throws {
        let labels = #""kind": "tensor", "shape": [1, 4], "labels": ["cat", "dog"]"#
        let bundle = try PlayedBundle(["a": "noload"], outputs: ["logits": labels], goldens: false)
        let address = try named("SERVER")
        await assertFails("no variant") {
            try await ModelOrServer.open(server: address, file: bundle.folder) { _ in
                XCTFail("nobody is to be asked")
                return true
            }
        }
    }
}
