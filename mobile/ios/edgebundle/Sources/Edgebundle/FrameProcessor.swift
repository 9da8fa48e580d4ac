#if canImport(CoreML) && canImport(CoreVideo)
    import CoreVideo
    import Foundation

    /// A frame and its time. Whoever hands it on no longer writes into it.
    public struct VideoFrame: @unchecked Sendable {
        public let pixelBuffer: CVPixelBuffer
        public let seconds: Double

        public init(_ pixelBuffer: CVPixelBuffer, seconds: Double) {
            (self.pixelBuffer, self.seconds) = (pixelBuffer, seconds)
        }
    }

    /// A video through an `ImageModel`: frames in as they come, processed frames out as fast, whatever time the network
    /// takes.
    ///
    ///     let processor = try FrameProcessor(model) { error in print(error.localizedDescription) }
    ///     camera.onFrame = { processor.submit(VideoFrame($0, seconds: $1)) }      // never waits
    ///     for await frame in processor.frames { view.show(frame.pixelBuffer) }
    ///
    /// The network runs on every k-th frame; in between, what it changed last is carried over to the present frame by
    /// optical flow. k follows the network's time and the phone's thermal state (docs/sdk-rules.md, "Pace of video"),
    /// and a frame is shown at once, or with the network's own time where that is shorter than the time between frames.
    /// Of frames that wait the newest is kept, on both sides. A frame that fails is told to `failed`, and the next one
    /// is taken. Ending the loop, `finish`, or the last reference to the processor ends its work; the model stays open.
    public final class FrameProcessor: Sendable {
        /// Frames of the network's size, of half of it where the phone is hot; the newest is kept.
        public let frames: AsyncStream<VideoFrame>
        private let pipeline: FramePipeline<VideoFrame>

        /// `failed` is told of each frame that fails, on the processor's thread. Throws `BundleError` when the model
        /// gives no picture or changes its size.
        public init(_ model: ImageModel, failed: @escaping @Sendable (any Error) -> Void = { _ in }) throws {
            let (spec, output) = (model.input, try model.picture())
            guard spec.width == output.width, spec.height == output.height else {
                throw BundleError("video needs a network whose output has the size of its input.")
            }
            let (frames, outgoing) = AsyncStream.makeStream(of: VideoFrame.self, bufferingPolicy: .bufferingNewest(1))
            let pipeline = FramePipeline<VideoFrame>(
                width: spec.width, height: spec.height,
                .init(
                    fit: { frame, pixels in try Self.fit(frame, spec, &pixels) },
                    network: { try await model.rendered($0) },
                    show: { styled, width, height, frame in
                        outgoing.yield(try Self.frame(styled, width, height, frame.seconds))
                    },
                    failed: failed,
                    heat: { DeviceState.heat() }))
            (self.frames, self.pipeline) = (frames, pipeline)
            outgoing.onTermination = { [weak pipeline] _ in pipeline?.finish() }
            Task {
                await pipeline.ended()
                outgoing.finish()
            }
        }

        /// Takes a 32-bit BGRA frame and returns at once; false after the end, where it does nothing.
        @discardableResult
        public func submit(_ frame: VideoFrame) -> Bool { pipeline.submit(frame) }

        /// How often the network runs and how large pictures are at the moment.
        public var pace: FramePace { pipeline.pace }

        /// No more frames will come: `frames` ends after the last one.
        public func finish() { pipeline.finish() }

        deinit { pipeline.finish() }

        private static func fit(_ frame: VideoFrame, _ spec: TensorSpec, _ pixels: inout [UInt32]) throws {
            let part = crop(
                width: CVPixelBufferGetWidth(frame.pixelBuffer), height: CVPixelBufferGetHeight(frame.pixelBuffer),
                for: spec)
            try PixelBuffers.access(frame.pixelBuffer, readOnly: true) { source, bytesPerRow in
                FrameFitter.fit(
                    source, bytesPerRow: bytesPerRow, part: part, width: spec.width, height: spec.height, into: &pixels)
            }
        }

        private static func frame(_ styled: [UInt32], _ width: Int, _ height: Int, _ seconds: Double) throws
            -> VideoFrame
        {
            let result = try PixelBuffers.make(width: width, height: height)
            try PixelBuffers.access(result, readOnly: false) { target, bytesPerRow in
                styled.withUnsafeBytes { bytes in
                    for y in 0..<height {
                        (target + y * bytesPerRow).copyMemory(
                            from: bytes.baseAddress! + 4 * width * y, byteCount: 4 * width)
                    }
                }
            }
            return VideoFrame(result, seconds: seconds)
        }
    }

    /// The name that `FrameProcessor` had.
    public typealias VideoStyler = FrameProcessor
#endif
