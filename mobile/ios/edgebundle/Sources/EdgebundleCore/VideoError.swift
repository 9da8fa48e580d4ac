import Foundation

/// A video could not be processed: which part of its way failed, and why. Nothing was left at the output's place.
public struct VideoError: LocalizedError, Sendable, Equatable {
    public enum Problem: String, Sendable {
        /// The input cannot be read, or is no video.
        case input
        /// This device cannot decode what the input holds.
        case decoder
        /// The network failed on a frame.
        case network
        /// This device cannot encode the result.
        case encoder
        /// The output cannot be written.
        case output
    }

    public let problem: Problem
    public let message: String

    public init(_ problem: Problem, _ message: String) { (self.problem, self.message) = (problem, message) }

    public var errorDescription: String? { message }

    /// What is told of an error of any kind: `what` failed, and what was thrown. A cancellation stays one.
    public static func of(_ error: any Error, _ problem: Problem, _ what: String) -> any Error {
        if error is VideoError || error is CancellationError { return error }
        return VideoError(problem, "\(what) (\(error.localizedDescription))")
    }
}

/// A video that was written: its pictures' size, how many frames it has and how many of them the network saw. `notes`
/// say what was left out, and why.
public struct VideoMade: Sendable, Equatable {
    public let width: Int
    public let height: Int
    public let frames: Int
    public let keys: Int
    public let hasSound: Bool
    public let notes: [String]

    public init(width: Int, height: Int, frames: Int, keys: Int, hasSound: Bool, notes: [String]) {
        (self.width, self.height, self.frames, self.keys) = (width, height, frames, keys)
        (self.hasSound, self.notes) = (hasSound, notes)
    }
}
