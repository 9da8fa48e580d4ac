import Foundation

/// A bundle or one of its variants cannot be used; the message says which, why, and what to do.
public struct BundleError: LocalizedError, Equatable, Sendable {
    public let message: String
    /// Where no variant works: each one that was tried, and why not.
    public let tried: [Tried]

    public init(_ message: String, tried: [Tried] = []) {
        (self.message, self.tried) = (message, tried)
    }

    public var errorDescription: String? { message }
}

/// A variant that was passed over, and why, in one sentence.
public struct Tried: Sendable, Equatable, CustomStringConvertible {
    public let variant: String
    public let reason: String

    public init(variant: String, reason: String) {
        (self.variant, self.reason) = (variant, reason)
    }

    public var description: String { "variant '\(variant)' is passed over: \(reason)" }
}
