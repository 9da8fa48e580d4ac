import Foundation

/// A bundle or one of its variants cannot be used; the message says which, why, and what to do.
public struct BundleError: LocalizedError, Equatable, Sendable {
    public let message: String

    public init(_ message: String) {
        self.message = message
    }

    public var errorDescription: String? { message }
}
