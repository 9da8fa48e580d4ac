@_exported import CoreVideo
import Foundation

// Core Media and the transform of Core Graphics, which AVFoundation exports on Apple systems.
public struct CMTime: Sendable {
    public var value: Int64
    public var timescale: Int32
    public init(value: Int64, timescale: Int32) { (self.value, self.timescale) = (value, timescale) }
    public static let zero = CMTime(value: 0, timescale: 1)
    public var seconds: Double { Double(value) / Double(timescale) }
}
public struct CGAffineTransform: Sendable {
    public var (a, b, c, d, tx, ty): (CGFloat, CGFloat, CGFloat, CGFloat, CGFloat, CGFloat)
    public init(a: CGFloat, b: CGFloat, c: CGFloat, d: CGFloat, tx: CGFloat, ty: CGFloat) {
        (self.a, self.b, self.c, self.d, self.tx, self.ty) = (a, b, c, d, tx, ty)
    }
}
public final class CMFormatDescription {}
public final class CMSampleBuffer {
    public let playedSound: Int?
    fileprivate let (image, time): (CVPixelBuffer?, CMTime)
    fileprivate init(_ image: CVPixelBuffer?, _ time: CMTime, sound: Int? = nil) {
        (self.image, self.time, playedSound) = (image, time, sound)
    }
}
public typealias CVImageBuffer = CVPixelBuffer
public func CMSampleBufferGetImageBuffer(_ sample: CMSampleBuffer) -> CVImageBuffer? { sample.image }
public func CMSampleBufferGetPresentationTimeStamp(_ sample: CMSampleBuffer) -> CMTime { sample.time }

public struct AVMediaType: Hashable, Sendable {
    fileprivate let name: String
    public static let video = AVMediaType(name: "video")
    public static let audio = AVMediaType(name: "audio")
}
public struct AVFileType: Sendable { public static let mp4 = AVFileType() }
public struct AVVideoCodecType: Sendable { public static let h264 = AVVideoCodecType() }
public let AVVideoCodecKey = "codec"
public let AVVideoWidthKey = "width"
public let AVVideoHeightKey = "height"

/// Plays a file of a video: its frames, its packets of sound, and what shall go wrong with it. The file itself holds a
/// number, so that it can be moved.
public final class PlayedMovie: @unchecked Sendable {
    public var frames: [(buffer: CVPixelBuffer, time: CMTime)] = []
    public var sounds: [(number: Int, time: CMTime)] = []
    public var transform = CGAffineTransform(a: 1, b: 0, c: 0, d: 1, tx: 0, ty: 0)
    /// After so many frames the decoder fails.
    public var decodes = Int.max
    nonisolated(unsafe) fileprivate static var all: [PlayedMovie] = []
    /// After so many frames the encoder fails.
    nonisolated(unsafe) public static var encodes = Int.max
    nonisolated(unsafe) public static var takesSound = true
    nonisolated(unsafe) public static var finishes = true

    public init() {}

    public func write(to url: URL) throws {
        Self.all.append(self)
        try Data("\(Self.all.count - 1)".utf8).write(to: url)
    }

    public static func read(_ url: URL) throws -> PlayedMovie {
        let text = String(decoding: try Data(contentsOf: url), as: UTF8.self)
        guard let number = Int(text), all.indices.contains(number) else { throw played(-11828, "no media") }
        return all[number]
    }
}
private func played(_ code: Int, _ what: String) -> NSError {
    NSError(domain: "AVFoundationErrorDomain", code: code, userInfo: [NSLocalizedDescriptionKey: what])
}

public struct AVAsyncProperty<Root, Value> { fileprivate let value: (Root) -> Value }
extension AVAsyncProperty where Root == AVURLAsset, Value == CMTime {
    public static var duration: Self {
        .init { asset in (try? PlayedMovie.read(asset.url))?.frames.last?.time ?? .zero }
    }
}
extension AVAsyncProperty where Root == AVAssetTrack, Value == CGAffineTransform {
    public static var preferredTransform: Self { .init(value: \.movie.transform) }
}
extension AVAsyncProperty where Root == AVAssetTrack, Value == [CMFormatDescription] {
    public static var formatDescriptions: Self { .init { _ in [CMFormatDescription()] } }
}
public final class AVURLAsset {
    fileprivate let url: URL
    public init(url: URL) { self.url = url }
    public func load<T>(_ property: AVAsyncProperty<AVURLAsset, T>) async throws -> T { property.value(self) }
    public func loadTracks(withMediaType type: AVMediaType) async throws -> [AVAssetTrack] {
        let movie = try PlayedMovie.read(url)
        let isThere = type == .video ? !movie.frames.isEmpty : !movie.sounds.isEmpty
        return isThere ? [AVAssetTrack(movie, type)] : []
    }
}
public final class AVAssetTrack {
    fileprivate let (movie, type): (PlayedMovie, AVMediaType)
    fileprivate init(_ movie: PlayedMovie, _ type: AVMediaType) { (self.movie, self.type) = (movie, type) }
    public func load<T>(_ property: AVAsyncProperty<AVAssetTrack, T>) async throws -> T { property.value(self) }
}
public final class AVAssetReaderTrackOutput {
    public var alwaysCopiesSampleData = true
    fileprivate weak var reader: AVAssetReader?
    private let track: AVAssetTrack
    private var next = 0
    public init(track: AVAssetTrack, outputSettings: [String: Any]?) { self.track = track }
    public func copyNextSampleBuffer() -> CMSampleBuffer? {
        defer { next += 1 }
        if track.type == .audio {
            return track.movie.sounds.indices.contains(next)
                ? CMSampleBuffer(nil, track.movie.sounds[next].time, sound: track.movie.sounds[next].number) : nil
        }
        if next >= track.movie.decodes { reader?.status = .failed }
        guard reader?.status == .reading, next < track.movie.frames.count else { return nil }
        return CMSampleBuffer(track.movie.frames[next].buffer, track.movie.frames[next].time)
    }
}
public final class AVAssetReader {
    public enum Status: Int { case unknown, reading, completed, failed, cancelled }
    public fileprivate(set) var status = Status.unknown
    public var error: (any Error)? { status == .failed ? played(-11821, "cannot decode") : nil }
    public init(asset: AVURLAsset) throws {}
    public func canAdd(_ output: AVAssetReaderTrackOutput) -> Bool { true }
    public func add(_ output: AVAssetReaderTrackOutput) { output.reader = self }
    public func startReading() -> Bool {
        status = .reading
        return true
    }
    public func cancelReading() { status = .cancelled }
}
public final class AVAssetWriterInput {
    public var expectsMediaDataInRealTime = true
    public private(set) var isReadyForMoreMediaData = true
    fileprivate let type: AVMediaType
    fileprivate weak var writer: AVAssetWriter?
    public init(mediaType: AVMediaType, outputSettings: [String: Any]?) { type = mediaType }
    public init(mediaType: AVMediaType, outputSettings: [String: Any]?, sourceFormatHint: CMFormatDescription?) {
        type = mediaType
    }
    public func append(_ sample: CMSampleBuffer) -> Bool {
        guard let number = sample.playedSound else { return false }
        writer?.movie.sounds.append((number, sample.time))
        return true
    }
    public func markAsFinished() { isReadyForMoreMediaData = false }
}
public final class AVAssetWriterInputPixelBufferAdaptor {
    private let input: AVAssetWriterInput
    public init(assetWriterInput: AVAssetWriterInput, sourcePixelBufferAttributes: [String: Any]?) {
        input = assetWriterInput
    }
    public func append(_ buffer: CVPixelBuffer, withPresentationTime time: CMTime) -> Bool {
        guard let writer = input.writer, writer.movie.frames.count < PlayedMovie.encodes else {
            input.writer?.status = .failed
            return false
        }
        if let last = writer.movie.frames.last, last.time.seconds >= time.seconds { return false }
        writer.movie.frames.append((buffer, time))
        return true
    }
}
public final class AVAssetWriter {
    public enum Status: Int { case unknown, writing, completed, failed, cancelled }
    public fileprivate(set) var status = Status.unknown
    public var error: (any Error)? { status == .failed ? played(-11800, "cannot encode") : nil }
    fileprivate let movie = PlayedMovie()
    private let url: URL
    public init(url: URL, fileType: AVFileType) throws {
        self.url = url
        try Data().write(to: url)
    }
    public func canAdd(_ input: AVAssetWriterInput) -> Bool { input.type == .video || PlayedMovie.takesSound }
    public func add(_ input: AVAssetWriterInput) { input.writer = self }
    public func startWriting() -> Bool {
        status = .writing
        return true
    }
    public func startSession(atSourceTime time: CMTime) {}
    public func finishWriting() async {
        guard PlayedMovie.finishes, (try? movie.write(to: url)) != nil else {
            status = .failed
            return
        }
        status = .completed
    }
    public func cancelWriting() { status = .cancelled }
}
