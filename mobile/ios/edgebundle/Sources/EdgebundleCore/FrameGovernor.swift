/// How video is processed at the moment: the network runs on every `every`-th frame, pictures have 1/`divisor` of the full size.
public struct FramePace: Sendable, Equatable {
    public let every: Int
    public let divisor: Int
}

/// Heat as iOS tells it to an app (`ProcessInfo.ThermalState`).
public enum Heat: Int, Sendable, CaseIterable {
    case nominal, fair, serious, critical

    /// The number of run records: Android's thermal status of the same meaning (0 none, 1 light, 3 severe, 4 critical).
    public var status: Double { [0, 1, 3, 4][rawValue] }
}

/// Decides how often the network runs and how large the pictures are, from how long it takes, how far frames are apart, and how hot
/// the device is. Pure: times and heat come in as values.
///
/// The network may use `share` of the time between frames, half of it at `fair` and a quarter from `serious` on, where pictures
/// shrink too. iOS itself keeps its states from swinging, so the pace follows them at once.
public struct FrameGovernor: Sendable {
    public static let share = 0.8
    private let maxEvery: Int
    private var networkNs = 0.0
    private var intervalNs = 0.0
    private var heat = Heat.nominal

    public init(maxEvery: Int = 8) {
        precondition(maxEvery > 0, "the network runs at least every frame, not every \(maxEvery)-th")
        self.maxEvery = maxEvery
    }

    /// The pace for the next frame.
    public var pace: FramePace {
        let factor: Double = heat == .nominal ? 1 : heat == .fair ? 2 : 4
        let needed = intervalNs == 0 ? 1 : (networkNs / (intervalNs * Self.share / factor)).rounded(.up)
        return FramePace(every: Int(min(max(needed, 1), Double(maxEvery))), divisor: factor == 4 ? 2 : 1)
    }

    /// A frame arrived that many nanoseconds after the one before.
    public mutating func frameAfter(_ nanoseconds: UInt64) { intervalNs = smoothed(intervalNs, nanoseconds) }

    /// The network took that long for a frame, with all that is done before and after it.
    public mutating func networkTook(_ nanoseconds: UInt64) { networkNs = smoothed(networkNs, nanoseconds) }

    public mutating func isAt(_ heat: Heat) { self.heat = heat }

    private func smoothed(_ old: Double, _ new: UInt64) -> Double { old == 0 ? Double(new) : old + (Double(new) - old) / 8 }
}
