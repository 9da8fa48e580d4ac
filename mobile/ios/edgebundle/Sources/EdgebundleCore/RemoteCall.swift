import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// One question to a server: bounded in time and size, to nobody else than the one that was agreed on, kept nowhere.
/// Its state is read and written on the session's own queue, one block at a time.
final class RemoteCall: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    private let host: String
    private let limits: RemoteLimits
    private var body = Data()
    private var isTooLarge = false
    private var waiting: CheckedContinuation<(Data, HTTPURLResponse), any Error>?

    init(_ host: String, _ limits: RemoteLimits) { (self.host, self.limits) = (host, limits) }

    /// Throws `BundleError` where there is no answer, `CancellationError` with its task.
    func run(_ request: URLRequest) async throws -> (Data, HTTPURLResponse) {
        let settings = URLSessionConfiguration.ephemeral
        settings.timeoutIntervalForRequest = limits.answerSeconds
        settings.timeoutIntervalForResource = limits.answerSeconds
        settings.httpShouldSetCookies = false
        let queue = OperationQueue()
        queue.maxConcurrentOperationCount = 1
        let session = URLSession(configuration: settings, delegate: self, delegateQueue: queue)
        defer { session.finishTasksAndInvalidate() }
        let task = session.dataTask(with: request)
        // Of all systems: some count the time of a request from its last byte.
        let watch = Task {
            try await Task.sleep(nanoseconds: UInt64(limits.answerSeconds * 1e9))
            task.cancel()
        }
        defer { watch.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                queue.addOperation {
                    self.waiting = continuation
                    task.resume()
                }
            }
        } onCancel: {
            task.cancel()
        }
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        body.append(data)
        if body.count > limits.mostAnswerBytes {
            isTooLarge = true
            dataTask.cancel()
        }
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) { completionHandler(nil) }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        if isTooLarge {
            end(.failure(BundleError("\(host) answered with more than \(limits.mostAnswerBytes) bytes.")))
        } else if let error {
            end(.failure(reason(error)))
        } else if let answer = task.response as? HTTPURLResponse {
            end(.success((body, answer)))
        } else {
            end(.failure(BundleError("\(host) gave no answer.")))
        }
    }

    private func reason(_ error: any Error) -> any Error {
        switch (error as? URLError)?.code {
        case .timedOut, .cancelled: BundleError("\(host) did not answer within \(limits.answerSeconds) s.")
        default: BundleError("\(host) cannot be reached (\(error.localizedDescription)); check the connection.")
        }
    }

    private func end(_ result: Result<(Data, HTTPURLResponse), any Error>) {
        waiting?.resume(with: result)
        waiting = nil
    }
}
