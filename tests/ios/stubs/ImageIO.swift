@_exported import CoreGraphics

/// Plays one file format: PPM (P6, 8 bits).
public final class CGImageSource {
    fileprivate let image: CGImage
    fileprivate init(_ image: CGImage) { self.image = image }
}
public func CGImageSourceCreateWithData(_ data: CFData, _ options: CFDictionary?) -> CGImageSource? {
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
public final class CGImageDestination {}
public func CGImageDestinationCreateWithData(
    _ data: CFMutableData, _ type: CFString, _ count: Int, _ options: CFDictionary?
) -> CGImageDestination? { nil }
public func CGImageDestinationAddImage(_ target: CGImageDestination, _ image: CGImage, _ properties: CFDictionary?) {}
public func CGImageDestinationFinalize(_ target: CGImageDestination) -> Bool { false }
