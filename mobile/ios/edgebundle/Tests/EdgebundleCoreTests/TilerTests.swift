import Foundation
import XCTest

@testable import EdgebundleCore

/// A picture whose every pixel tells where it is.
private struct Source: PixelSource {
    let width: Int
    let height: Int
    /// Pixels of a tile of 16 that are wrong, as counted from its sides, where those are not the picture's own.
    var blind = 0

    static func pixel(_ x: Int, _ y: Int) -> UInt32 { 0xff00_0000 | UInt32((x * 7919 + y * 104729) & 0xff_ffff) }

    func read(left: Int, top: Int, width: Int, height: Int, into argb: inout [UInt32]) {
        for y in 0..<height {
            for x in 0..<width {
                let beside = (x < blind && left > 0) || (x >= 16 - blind && left + 16 < self.width)
                let above = (y < blind && top > 0) || (y >= 16 - blind && top + 16 < self.height)
                argb[y * width + x] = beside || above ? 0xff00_0000 : Self.pixel(left + x, top + y)
            }
        }
    }
}

final class TilerTests: XCTestCase {
    private func rendered(_ tiler: Tiler, _ source: Source) throws -> [UInt32] {
        var result: [UInt32] = []
        var count = 0
        try tiler.run(
            source,
            render: { tile, into in
                into = tile
                count += 1
            },
            write: { top, rows, argb in
                XCTAssertEqual(top * source.width, result.count)
                XCTAssertEqual(rows * source.width, argb.count)
                result += argb
            })
        XCTAssertEqual(count, tiler.tiles(width: source.width, height: source.height))
        return result
    }

    private func whole(_ width: Int, _ height: Int) -> [UInt32] {
        (0..<width * height).map { Source.pixel($0 % width, $0 / width) }
    }

    /// Tiles of a network that changes nothing give the picture itself, for every size, and every row once.
    func testTilesLeaveNoSeam() throws {
        for (width, height) in [(8, 8), (9, 8), (30, 21), (3, 2), (5, 40), (64, 3), (1, 1)] {
            let tiler = Tiler(tileWidth: 8, tileHeight: 8, scale: 1, margin: 1, band: 1)
            XCTAssertEqual(
                try rendered(tiler, Source(width: width, height: height)), whole(width, height), "\(width) x \(height)")
        }
    }

    /// What a network gets wrong at the sides of a tile is thrown away, and tiles start where the bundle says.
    func testMarginsAreThrownAway() throws {
        let tiler = Tiler(tileWidth: 16, tileHeight: 16, scale: 1, margin: 2, band: 3, multiple: 4)
        for (width, height) in [(16, 16), (40, 33), (61, 90)] {
            XCTAssertEqual(
                try rendered(tiler, Source(width: width, height: height, blind: 2)), whole(width, height),
                "\(width) x \(height)")
        }
    }

    /// Tiles follow the bundle's facts; a network that may not or cannot work in tiles is refused.
    func testTilesFollowTheBundle() throws {
        let input = try manifest(manifestText(width: 64, height: 32)).inputs[0]
        func tiling(_ text: String) throws -> Tiling { try JSONDecoder().decode(Tiling.self, from: Data(text.utf8)) }
        XCTAssertEqual(try Tiler(input, scale: 1, nil).tiles(width: 64, height: 60), 2)
        XCTAssertEqual(
            try Tiler(input, scale: 1, tiling(#"{"allowed": true, "overlap": 6, "multiple": 4}"#)).tiles(
                width: 64, height: 60), 4)
        for (text, said) in [
            (#"{"allowed": false, "reason": "it looks at the whole picture"}"#, "it looks at the whole picture"),
            (#"{"allowed": true, "overlap": 9}"#, "9 pixels around each tile"),
        ] {
            XCTAssertThrowsError(try Tiler(input, scale: 1, tiling(text))) {
                XCTAssertTrue($0.localizedDescription.contains(said))
            }
        }
    }

    /// A cancelled picture ends before its next tile.
    func testTilingCanBeCancelled() {
        var tiles = 0
        let tiler = Tiler(tileWidth: 8, tileHeight: 8, scale: 2, margin: 0, band: 0)
        XCTAssertThrowsError(
            try tiler.run(
                Source(width: 32, height: 32), check: { if tiles == 3 { throw CancellationError() } },
                render: { _, _ in tiles += 1 }, write: { _, _, _ in }))
        XCTAssertEqual(tiles, 3)
    }
}
