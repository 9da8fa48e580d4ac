import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// What the user is asked before anything is sent.
public struct RemoteQuestion: Sendable, Equatable {
    /// Host and port that pictures would go to.
    public let to: String
    /// Why no variant works on this device.
    public let reason: String
}

/// What left this device: a picture file of so many bytes, and where it went.
public struct Sent: Sendable, Equatable, CustomStringConvertible {
    public let to: String
    public let bytes: Int
    public let variant: String

    public var description: String { "\(bytes) bytes were sent to \(to), whose variant '\(variant)' rendered them" }
}

/// The PNG that a server made, and what left the device for it.
public struct RemotePicture: Sendable {
    public let png: Data
    public let sent: Sent
}

/// How long a server may take and how much it may say. A picture that is larger than `mostBytes` is not sent.
public struct RemoteLimits: Sendable {
    public var answerSeconds: Double
    public var mostBytes: Int
    public var mostAnswerBytes: Int
    /// A server that is busy for longer is not waited for.
    public var mostWaitSeconds: Double

    public init(
        answerSeconds: Double = 30, mostBytes: Int = 16 << 20, mostAnswerBytes: Int = 64 << 20,
        mostWaitSeconds: Double = 10
    ) {
        (self.answerSeconds, self.mostBytes) = (answerSeconds, mostBytes)
        (self.mostAnswerBytes, self.mostWaitSeconds) = (mostAnswerBytes, mostWaitSeconds)
    }
}

/// A server of `builder package --target server`, as the last resort of an app whose device runs no variant. It is off
/// unless the app gives an address, and nothing is sent before the user agreed. Pictures are in no log.
public actor RemoteModel {
    /// What `GET /v1/model` answers, as far as an app needs it.
    public struct Facts: Sendable, Decodable {
        public let name: String
        public let variant: String
        public let width: Int
        public let height: Int
    }

    public nonisolated let facts: Facts
    /// Host and port of the server.
    public nonisolated var host: String { place(address) }
    /// The last hundred things that were sent, oldest first: what an app shows or reports.
    public private(set) var record: [Sent] = []
    private nonisolated let address: URL
    private nonisolated let limits: RemoteLimits

    private init(_ address: URL, _ facts: Facts, _ limits: RemoteLimits) {
        (self.address, self.facts, self.limits) = (address, facts, limits)
    }

    /// Asks the user by `consent`, then the server at `address` what it serves. `reason` says why no variant works
    /// here, and `modelName` which network it must serve; nil takes any.
    ///
    /// Throws `BundleError` for an address over which others could see the pictures, a user who does not agree, and a
    /// server that cannot be reached or serves another network; `CancellationError` with its task.
    public static func open(
        _ address: String, reason: String, modelName: String?, limits: RemoteLimits = RemoteLimits(),
        consent: @Sendable (RemoteQuestion) async -> Bool
    ) async throws -> RemoteModel {
        let base = try checked(address)
        guard await consent(RemoteQuestion(to: place(base), reason: reason)) else {
            throw BundleError("\(reason) The server \(place(base)) is not used, since nobody agreed.")
        }
        let answer = try await good(URLRequest(url: base.appendingPathComponent("v1/model")), limits)
        guard let facts = try? JSONDecoder().decode(Facts.self, from: answer) else {
            throw BundleError("\(place(base)) is no server of 'builder package --target server'.")
        }
        guard modelName == nil || facts.name == modelName else {
            throw BundleError("\(place(base)) serves '\(facts.name)', not '\(modelName ?? "")'.")
        }
        return RemoteModel(base, facts, limits)
    }

    /// Sends a picture file (JPEG, PNG or WebP; best of the network's own size, so that no more leaves the device than
    /// is needed) with the `vectors` that the network takes. A busy server is asked once more, after the time that it
    /// says. Throws `BundleError` with what the server says, or why it cannot be reached.
    public func process(
        _ picture: Data, type: String = "image/png", vectors: [String: [Float]] = [:]
    ) async throws -> RemotePicture {
        guard picture.count <= limits.mostBytes else {
            throw BundleError(
                "the picture has \(picture.count) bytes, at most \(limits.mostBytes) are sent; make it smaller.")
        }
        var request = URLRequest(url: try target(vectors))
        request.httpMethod = "POST"
        request.setValue(type, forHTTPHeaderField: "Content-Type")
        request.httpBody = picture
        let png = try await good(request, limits)
        guard png.starts(with: [0x89, 0x50, 0x4e, 0x47]) else {
            throw BundleError("\(host) answered with no PNG picture.")
        }
        let sent = Sent(to: host, bytes: picture.count, variant: facts.variant)
        record = record.suffix(99) + [sent]
        return RemotePicture(png: png, sent: sent)
    }

    private func target(_ vectors: [String: [Float]]) throws -> URL {
        let url = address.appendingPathComponent("v1/process")
        if vectors.isEmpty { return url }
        guard vectors.values.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
            throw BundleError("the values of vectors are finite numbers.")
        }
        let json = String(decoding: try JSONEncoder().encode(vectors), as: UTF8.self)
        var parts = URLComponents(url: url, resolvingAgainstBaseURL: false)
        parts?.queryItems = [URLQueryItem(name: "vectors", value: json)]
        guard let made = parts?.url else { throw BundleError("the vectors cannot be written into an address.") }
        return made
    }
}

/// The folder of the server's addresses. Throws `BundleError` for one over which others could see the pictures.
private func checked(_ address: String) throws -> URL {
    guard let parts = URLComponents(string: address), let host = parts.host, !host.isEmpty, let url = parts.url,
        parts.scheme == "https" || (parts.scheme == "http" && isLoopback(host)),
        parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil
    else {
        throw BundleError(
            "'\(address)' is not taken as a server; use https, without a login or a query in the address.")
    }
    return url
}

/// By its text: a name that resolves to this device today may resolve elsewhere tomorrow.
private func isLoopback(_ host: String) -> Bool {
    if host == "localhost" || host == "::1" || host == "[::1]" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
}

private func place(_ url: URL) -> String { (url.host ?? "") + (url.port.map { ":\($0)" } ?? "") }

/// The body of a good answer; a busy server is asked a second time.
private func good(_ request: URLRequest, _ limits: RemoteLimits) async throws -> Data {
    let host = request.url.map(place) ?? ""
    var (data, answer) = try await RemoteCall(host, limits).run(request)
    if answer.statusCode == 429 {
        let wait = Double(answer.value(forHTTPHeaderField: "Retry-After") ?? "1") ?? 1
        if (0...limits.mostWaitSeconds).contains(wait) {
            try await Task.sleep(nanoseconds: UInt64(wait * 1e9))
            (data, answer) = try await RemoteCall(host, limits).run(request)
        }
    }
    if answer.statusCode == 200 { return data }
    struct Problem: Decodable { let detail: String }
    let said = (try? JSONDecoder().decode(Problem.self, from: data))?.detail
    throw BundleError(
        "\(host) answered \(answer.statusCode): \(said.map { String($0.prefix(300)) } ?? "it does not say why.")")
}
