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

    /// A video through a `StyleModel`: frames in as they come, styled frames out as fast as the phone can without overheating.
    ///
    ///     let styler = try VideoStyler(model)
    ///     camera.onFrame = { styler.submit(VideoFrame($0, seconds: $1)) }      // never waits
    ///     for try await frame in styler.frames { view.show(frame.pixelBuffer) }
    ///
    /// The network runs on every k-th frame; in between, what it changed last is carried over to the present frame (`FrameMixer`). k
    /// follows the network's time and the phone's thermal state (`FrameGovernor`). Of frames that come while one is processed only
    /// the newest is kept. Ending the loop, or its task, ends the styler.
    public final class VideoStyler: Sendable {
        public let frames: AsyncThrowingStream<VideoFrame, any Error>
        private let incoming: AsyncStream<VideoFrame>.Continuation

        /// Throws `BundleError` when the model changes the size of pictures.
        public init(_ model: StyleModel) throws {
            guard model.input.width == model.output.width, model.input.height == model.output.height else {
                throw BundleError("video needs a network whose output has the size of its input.")
            }
            let (source, incoming) = AsyncStream.makeStream(of: VideoFrame.self, bufferingPolicy: .bufferingNewest(1))
            self.incoming = incoming
            frames = AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { outgoing in
                let work = Task {
                    do {
                        var state = VideoState(model.input)
                        for await frame in source { outgoing.yield(try await state.style(frame, model)) }
                        outgoing.finish()
                    } catch {
                        outgoing.finish(throwing: error)
                    }
                }
                outgoing.onTermination = { _ in
                    work.cancel()
                    incoming.finish()
                }
            }
        }

        /// Takes a frame; returns at once.
        public func submit(_ frame: VideoFrame) { incoming.yield(frame) }

        /// No more frames will come: `frames` ends after the last one.
        public func finish() { incoming.finish() }
    }

    /// What is kept from frame to frame.
    private struct VideoState {
        private let spec: TensorSpec
        private var governor = FrameGovernor()
        private var mixer: FrameMixer
        private var pixels: [UInt32]
        private var sinceKey = Int.max
        private var lastFrame: Double?

        init(_ spec: TensorSpec) {
            self.spec = spec
            mixer = FrameMixer(pixelCount: spec.width * spec.height)
            pixels = [UInt32](repeating: 0, count: spec.width * spec.height)
        }

        mutating func style(_ frame: VideoFrame, _ model: StyleModel) async throws -> VideoFrame {
            if let lastFrame, frame.seconds > lastFrame { governor.frameAfter(UInt64((frame.seconds - lastFrame) * 1e9)) }
            lastFrame = frame.seconds
            governor.isAt(DeviceState.heat())
            let part = crop(width: CVPixelBufferGetWidth(frame.pixelBuffer), height: CVPixelBufferGetHeight(frame.pixelBuffer), for: spec)
            try PixelBuffers.access(frame.pixelBuffer, readOnly: true) { source, bytesPerRow in
                FrameFitter.fit(source, bytesPerRow: bytesPerRow, part: part, width: spec.width, height: spec.height, into: &pixels)
            }
            let styled: [UInt32]
            if sinceKey >= governor.pace.every - 1 {
                let start = monotonicNs()
                styled = try await model.rendered(pixels)
                mixer.key(pixels, styled: styled)
                governor.networkTook(monotonicNs() - start)
                sinceKey = 0
            } else {
                styled = mixer.mix(pixels)
                sinceKey += 1
            }
            let result = try PixelBuffers.make(width: spec.width, height: spec.height)
            try PixelBuffers.access(result, readOnly: false) { target, bytesPerRow in
                styled.withUnsafeBytes { bytes in
                    for y in 0..<spec.height { (target + y * bytesPerRow).copyMemory(from: bytes.baseAddress! + 4 * spec.width * y, byteCount: 4 * spec.width) }
                }
            }
            return VideoFrame(result, seconds: frame.seconds)
        }
    }
#endif
