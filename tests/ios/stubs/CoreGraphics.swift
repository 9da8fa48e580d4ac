@_exported import Foundation

// Core Foundation's types bridge to Swift's on Apple systems; here they are the same.
public typealias CFData = Data
public typealias CFMutableData = NSMutableData
public typealias CFString = String
public typealias CFDictionary = [String: Any]

// Part of the Objective-C runtime, which Foundation exports on Apple systems.
public func autoreleasepool<Result>(invoking body: () throws -> Result) rethrows -> Result {
    let depth = playedPoolDepth
    Thread.current.threadDictionary["edgebundle.pools"] = depth + 1
    defer { Thread.current.threadDictionary["edgebundle.pools"] = depth }
    return try body()
}
/// How many pools this thread is in.
public var playedPoolDepth: Int { Thread.current.threadDictionary["edgebundle.pools"] as? Int ?? 0 }

public final class CGColorSpace {
    public static let sRGB: CFString = "sRGB"
    public init?(name: CFString) {}
}
public struct CGBitmapInfo: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let byteOrder32Little = CGBitmapInfo(rawValue: 2 << 12)
}
public enum CGImageAlphaInfo: UInt32 {
    case none, premultipliedLast, premultipliedFirst, last, first, noneSkipLast, noneSkipFirst, alphaOnly
}
public enum CGColorRenderingIntent { case defaultIntent }
public enum CGInterpolationQuality { case none, low, medium, high }
public final class CGDataProvider {
    fileprivate let data: Data
    public init?(data: CFData) { self.data = data }
}
/// Plays 32-bit little-endian pictures with alpha first or none.
public final class CGImage {
    public let width: Int
    public let height: Int
    fileprivate let words: [UInt32]
    fileprivate init(_ width: Int, _ height: Int, _ words: [UInt32]) {
        (self.width, self.height, self.words) = (width, height, words)
    }
    public init?(
        width: Int, height: Int, bitsPerComponent: Int, bitsPerPixel: Int, bytesPerRow: Int, space: CGColorSpace,
        bitmapInfo: CGBitmapInfo,
        provider: CGDataProvider, decode: UnsafePointer<CGFloat>?, shouldInterpolate: Bool,
        intent: CGColorRenderingIntent
    ) {
        guard width > 0, height > 0, bytesPerRow == 4 * width, provider.data.count >= bytesPerRow * height else {
            return nil
        }
        let isOpaque = bitmapInfo.rawValue & 31 == CGImageAlphaInfo.noneSkipFirst.rawValue
        (self.width, self.height) = (width, height)
        words = provider.data.withUnsafeBytes { bytes in
            (0..<width * height).map {
                bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self) | (isOpaque ? 0xff00_0000 : 0)
            }
        }
    }
    public var colorSpace: CGColorSpace? { CGColorSpace(name: CGColorSpace.sRGB) }
    public func cropping(to rect: CGRect) -> CGImage? {
        let (left, top, wide, high) = (
            Int(rect.origin.x), Int(rect.origin.y), Int(rect.size.width), Int(rect.size.height)
        )
        guard left >= 0, top >= 0, wide > 0, high > 0, left + wide <= width, top + high <= height else { return nil }
        return CGImage(wide, high, (0..<wide * high).map { words[(top + $0 / wide) * width + left + $0 % wide] })
    }
}
/// Plays drawing into one's own memory: the nearest pixel, over what is there.
public final class CGContext {
    private let target: UnsafeMutableRawPointer
    private let (width, height, isOpaque): (Int, Int, Bool)
    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int,
        space: CGColorSpace, bitmapInfo: UInt32
    ) {
        guard let data, width > 0, height > 0, bytesPerRow == 4 * width else { return nil }
        target = data
        (self.width, self.height) = (width, height)
        isOpaque = bitmapInfo & 31 == CGImageAlphaInfo.noneSkipFirst.rawValue
    }
    public var interpolationQuality = CGInterpolationQuality.high
    public func draw(_ image: CGImage, in rect: CGRect) {
        precondition(
            rect.origin == .zero && Int(rect.width) == width && Int(rect.height) == height,
            "played for whole contexts only")
        let words = target.bindMemory(to: UInt32.self, capacity: width * height)
        for at in 0..<width * height {
            let source = image.words[
                (at / width) * image.height / height * image.width + (at % width) * image.width / width]
            let rest = 255 - source >> 24
            var word: UInt32 = 0
            for shift: UInt32 in [24, 16, 8, 0] {
                word |= min(255, (source >> shift & 0xff) + ((words[at] >> shift & 0xff) * rest + 127) / 255) << shift
            }
            words[at] = isOpaque ? word & 0xff_ffff : word
        }
    }
}
/// Only the stand-ins make pictures from pixels.
public func playedImage(_ width: Int, _ height: Int, _ words: [UInt32]) -> CGImage { CGImage(width, height, words) }
public func playedWords(_ image: CGImage) -> [UInt32] { image.words }

// Part of Foundation on Apple's systems.
extension ProcessInfo {
    public enum ThermalState: Int, Sendable { case nominal, fair, serious, critical }
    nonisolated(unsafe) public static var played = ThermalState.nominal
    public var thermalState: ThermalState { Self.played }
    public var isLowPowerModeEnabled: Bool { false }
    public static var thermalStateDidChangeNotification: NSNotification.Name { NSNotification.Name("thermal") }
}
