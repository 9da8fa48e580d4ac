@_exported import CoreGraphics

/// Plays frames in plain memory, with rows that are longer than their pixels.
public final class CVBuffer {
    fileprivate let (width, height, format): (Int, Int, OSType)
    fileprivate let memory: UnsafeMutableRawPointer
    fileprivate init(_ width: Int, _ height: Int, _ format: OSType) {
        (self.width, self.height, self.format) = (width, height, format)
        memory = .allocate(byteCount: (4 * width + 16) * height, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 7, count: (4 * width + 16) * height)
    }
    deinit { memory.deallocate() }
}
public typealias CVPixelBuffer = CVBuffer
public typealias CVReturn = Int32
public typealias OSType = UInt32
public let kCVReturnSuccess: CVReturn = 0
public let kCVPixelFormatType_32BGRA: OSType = 0x4247_5241
public let kCVPixelBufferPixelFormatTypeKey: CFString = "PixelFormatType"
public let kCVPixelBufferIOSurfacePropertiesKey: CFString = "IOSurfaceProperties"
public struct CVPixelBufferLockFlags: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static let readOnly = CVPixelBufferLockFlags(rawValue: 1)
}
public final class CFAllocator {}
public func CVPixelBufferCreate(
    _ allocator: CFAllocator?, _ width: Int, _ height: Int, _ format: OSType, _ attributes: CFDictionary?,
    _ buffer: UnsafeMutablePointer<CVPixelBuffer?>
) -> CVReturn {
    if width <= 0 || height <= 0 { return -6661 }
    buffer.pointee = CVBuffer(width, height, format)
    return kCVReturnSuccess
}
@discardableResult public func CVPixelBufferLockBaseAddress(_ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags)
    -> CVReturn
{ 0 }
@discardableResult public func CVPixelBufferUnlockBaseAddress(_ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags)
    -> CVReturn
{ 0 }
public func CVPixelBufferGetBaseAddress(_ buffer: CVPixelBuffer) -> UnsafeMutableRawPointer? { buffer.memory }
public func CVPixelBufferGetBytesPerRow(_ buffer: CVPixelBuffer) -> Int { 4 * buffer.width + 16 }
public func CVPixelBufferGetPixelFormatType(_ buffer: CVPixelBuffer) -> OSType { buffer.format }
public func CVPixelBufferGetWidth(_ buffer: CVPixelBuffer) -> Int { buffer.width }
public func CVPixelBufferGetHeight(_ buffer: CVPixelBuffer) -> Int { buffer.height }
