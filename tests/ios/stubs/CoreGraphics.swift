@_exported import Foundation

// Core Foundation's types bridge to Swift's on Apple systems; here they are the same.
public typealias CFData = Data
public typealias CFString = String
public typealias CFDictionary = [String: Any]

public final class CGColorSpace {
    public static let sRGB: CFString = ""
    public init?(name: CFString) { fatalError() }
}
public struct CGBitmapInfo: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let byteOrder32Little = CGBitmapInfo(rawValue: 0)
}
public enum CGImageAlphaInfo: UInt32 { case noneSkipFirst }
public enum CGColorRenderingIntent { case defaultIntent }
public enum CGInterpolationQuality { case high }
public final class CGDataProvider {
    public init?(data: CFData) { fatalError() }
}
public final class CGImage {
    public init?(
        width: Int, height: Int, bitsPerComponent: Int, bitsPerPixel: Int, bytesPerRow: Int, space: CGColorSpace, bitmapInfo: CGBitmapInfo,
        provider: CGDataProvider, decode: UnsafePointer<CGFloat>?, shouldInterpolate: Bool, intent: CGColorRenderingIntent
    ) { fatalError() }
    public var width: Int { fatalError() }
    public var height: Int { fatalError() }
    public var colorSpace: CGColorSpace? { fatalError() }
    public func cropping(to rect: CGRect) -> CGImage? { fatalError() }
}
public final class CGContext {
    public init?(
        data: UnsafeMutableRawPointer?, width: Int, height: Int, bitsPerComponent: Int, bytesPerRow: Int, space: CGColorSpace, bitmapInfo: UInt32
    ) { fatalError() }
    public var interpolationQuality: CGInterpolationQuality { get { fatalError() } set { fatalError() } }
    public func draw(_ image: CGImage, in rect: CGRect) { fatalError() }
}
