@_exported import CoreGraphics

/// Plays two file formats: PPM (P6, 8 bits), and PNG of 8-bit RGB (RFC 2083).
public final class CGImageSource {
    fileprivate let image: CGImage
    fileprivate init(_ image: CGImage) { self.image = image }
}
public func CGImageSourceCreateWithData(_ data: CFData, _ options: CFDictionary?) -> CGImageSource? {
    if data.starts(with: pngSignature) { return readPng([UInt8](data)).map { CGImageSource($0) } }
    let words = data.prefix(64).split(whereSeparator: { $0 == 10 || $0 == 32 }).prefix(4).map {
        String(decoding: $0, as: UTF8.self)
    }
    guard words.count == 4, words[0] == "P6", let width = Int(words[1]), let height = Int(words[2]), words[3] == "255"
    else { return nil }
    let bytes = [UInt8](data.suffix(3 * width * height))
    guard bytes.count == 3 * width * height else { return nil }
    let argb = (0..<width * height).map {
        0xff00_0000 | UInt32(bytes[3 * $0]) << 16 | UInt32(bytes[3 * $0 + 1]) << 8 | UInt32(bytes[3 * $0 + 2])
    }
    return CGImageSource(playedImage(width, height, argb))
}
public func CGImageSourceCreateImageAtIndex(_ source: CGImageSource, _ index: Int, _ options: CFDictionary?) -> CGImage?
{ source.image }
public func CGImageSourceCreateThumbnailAtIndex(_ source: CGImageSource, _ index: Int, _ options: CFDictionary?)
    -> CGImage?
{ source.image }
public let kCGImageSourceCreateThumbnailFromImageAlways: CFString = "always"
public let kCGImageSourceCreateThumbnailWithTransform: CFString = "transform"
public let kCGImageSourceThumbnailMaxPixelSize: CFString = "size"
/// Plays PNG files, not compressed.
public final class CGImageDestination {
    fileprivate let file: CFMutableData
    fileprivate var image: CGImage?
    fileprivate init(_ file: CFMutableData) { self.file = file }
}
public func CGImageDestinationCreateWithData(
    _ data: CFMutableData, _ type: CFString, _ count: Int, _ options: CFDictionary?
) -> CGImageDestination? { type == "public.png" && count == 1 ? CGImageDestination(data) : nil }
public func CGImageDestinationAddImage(_ target: CGImageDestination, _ image: CGImage, _ properties: CFDictionary?) {
    target.image = image
}
public func CGImageDestinationFinalize(_ target: CGImageDestination) -> Bool {
    guard let image = target.image else { return false }
    target.file.append(Data(writtenPng(image)))
    return true
}

private let pngSignature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

private func big(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 255) } }

private func chunk(_ name: String, _ body: [UInt8]) -> [UInt8] {
    let checked = [UInt8](name.utf8) + body
    var crc: UInt32 = 0xffff_ffff
    for byte in checked {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
    }
    return big(body.count) + checked + big(Int(~crc))
}

private func writtenPng(_ image: CGImage) -> [UInt8] {
    var rows: [UInt8] = []
    for (at, word) in playedWords(image).enumerated() {
        if at % image.width == 0 { rows.append(0) }  // no filter
        rows += [UInt8(word >> 16 & 255), UInt8(word >> 8 & 255), UInt8(word & 255)]
    }
    var stream: [UInt8] = [0x78, 0x01]
    for start in stride(from: 0, to: rows.count, by: 65535) {
        let part = rows[start..<min(start + 65535, rows.count)]
        let (count, isLast) = (part.count, start + 65535 >= rows.count)
        stream += [
            isLast ? 1 : 0, UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255), UInt8(~count >> 8 & 255),
        ]
        stream += part
    }
    var (low, high) = (1, 0)
    for byte in rows { (low, high) = ((low + Int(byte)) % 65521, (high + low + Int(byte)) % 65521) }
    stream += big(high << 16 | low)
    let head = big(image.width) + big(image.height) + [8, 2, 0, 0, 0]
    return pngSignature + chunk("IHDR", head) + chunk("IDAT", stream) + chunk("IEND", [])
}

private func readPng(_ file: [UInt8]) -> CGImage? {
    func number(_ at: Int) -> Int { file[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
    var (at, head, stream): (Int, ArraySlice<UInt8>, [UInt8]) = (8, [], [])
    while at + 12 <= file.count {
        let body = at + 8..<at + 8 + number(at)
        guard body.upperBound + 4 <= file.count else { return nil }
        switch String(decoding: file[at + 4..<at + 8], as: UTF8.self) {
        case "IHDR": head = file[body]
        case "IDAT": stream += file[body]
        default: break
        }
        at = body.upperBound + 4
    }
    guard head.count == 13, Array(head.suffix(5)) == [8, 2, 0, 0, 0], stream.count > 6 else { return nil }
    let (width, height) = (number(head.startIndex), number(head.startIndex + 4))
    var inflater = Inflater(Array(stream.dropFirst(2)))
    let (bytes, wide) = (inflater.all(), 3 * width)
    guard bytes.count == (wide + 1) * height else { return nil }
    var rows = [UInt8](repeating: 0, count: wide * height)
    for y in 0..<height {
        for x in 0..<wide {
            let left = x >= 3 ? Int(rows[y * wide + x - 3]) : 0
            let above = y > 0 ? Int(rows[(y - 1) * wide + x]) : 0
            let corner = x >= 3 && y > 0 ? Int(rows[(y - 1) * wide + x - 3]) : 0
            let near = left + above - corner
            let (a, b, c) = (abs(near - left), abs(near - above), abs(near - corner))
            let paeth = a <= b && a <= c ? left : b <= c ? above : corner
            let expected = [0, left, above, (left + above) / 2, paeth][Int(bytes[y * (wide + 1)])]
            rows[y * wide + x] = UInt8((Int(bytes[y * (wide + 1) + 1 + x]) + expected) & 255)
        }
    }
    let words = (0..<width * height).map {
        0xff00_0000 | UInt32(rows[3 * $0]) << 16 | UInt32(rows[3 * $0 + 1]) << 8 | UInt32(rows[3 * $0 + 2])
    }
    return playedImage(width, height, words)
}

/// RFC 1951. A file that is none ends the test.
private struct Inflater {
    private let bytes: [UInt8]
    private var bit = 0
    private var out: [UInt8] = []

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func all() -> [UInt8] {
        while true {
            let isLast = take(1) == 1
            switch take(2) {
            case 0: stored()
            case 1:
                let fixed = (0..<288).map { $0 < 144 ? 8 : $0 < 256 ? 9 : $0 < 280 ? 7 : 8 }
                coded(Codes(fixed), Codes([Int](repeating: 5, count: 30)))
            default: dynamic()
            }
            if isLast { return out }
        }
    }

    private mutating func take(_ count: Int) -> Int {
        var value = 0
        for shift in 0..<count {
            value |= Int(bytes[bit / 8] >> (bit % 8) & 1) << shift
            bit += 1
        }
        return value
    }

    private mutating func stored() {
        bit = (bit + 7) / 8 * 8
        let count = take(16)
        _ = take(16)
        for _ in 0..<count { out.append(UInt8(take(8))) }
    }

    private mutating func dynamic() {
        let (literals, distances, lengths) = (take(5) + 257, take(5) + 1, take(4) + 4)
        var sizes = [Int](repeating: 0, count: 19)
        for place in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].prefix(lengths) {
            sizes[place] = take(3)
        }
        let codes = Codes(sizes)
        var all: [Int] = []
        while all.count < literals + distances {
            switch symbol(codes) {
            case 16: all += [Int](repeating: all[all.count - 1], count: take(2) + 3)
            case 17: all += [Int](repeating: 0, count: take(3) + 3)
            case 18: all += [Int](repeating: 0, count: take(7) + 11)
            case let size: all.append(size)
            }
        }
        coded(Codes(Array(all.prefix(literals))), Codes(Array(all.suffix(distances))))
    }

    private mutating func coded(_ literals: Codes, _ distances: Codes) {
        while true {
            let found = symbol(literals)
            if found == 256 { return }
            if found < 256 {
                out.append(UInt8(found))
                continue
            }
            let length = Self.length(found - 257, &self)
            let code = symbol(distances)
            let more = max(0, code / 2 - 1)
            let distance = (code < 2 ? code : (2 + code % 2) << more) + 1 + take(more)
            for _ in 0..<length { out.append(out[out.count - distance]) }
        }
    }

    private static func length(_ code: Int, _ from: inout Inflater) -> Int {
        if code == 28 { return 258 }
        let more = max(0, code / 4 - 1)
        return (code < 4 ? code : (4 + code % 4) << more) + 3 + from.take(more)
    }

    private mutating func symbol(_ codes: Codes) -> Int {
        var (code, first, index) = (0, 0, 0)
        for size in 1..<16 {
            code |= take(1)
            let count = codes.counts[size]
            if code - count < first { return codes.symbols[index + code - first] }
            (index, first) = (index + count, (first + count) << 1)
            code <<= 1
        }
        fatalError("no code of a PNG")
    }

    struct Codes {
        private(set) var counts = [Int](repeating: 0, count: 16)
        let symbols: [Int]

        init(_ sizes: [Int]) {
            for size in sizes where size > 0 { counts[size] += 1 }
            symbols = sizes.indices.filter { sizes[$0] > 0 }.sorted { (sizes[$0], $0) < (sizes[$1], $1) }
        }
    }
}
