import Combine
import Foundation
import UIKit

/// Counts how often the app left the foreground: a measurement during which this changes was not made there.
@MainActor
final class Foreground: ObservableObject {
    @Published private(set) var left = 0
    private var token: (any NSObjectProtocol)?

    init() {
        token = NotificationCenter.default.addObserver(
            forName: UIApplication.didEnterBackgroundNotification, object: nil, queue: .main
        ) { [weak self] _ in
            MainActor.assumeIsolated { self?.left += 1 }
        }
    }
}
