/// How video is processed at the moment: the network runs on every `every`-th frame, pictures have 1/`divisor` of the
/// full size.
public struct FramePace: Sendable, Equatable {
    public let every: Int
    public let divisor: Int

    public init(every: Int, divisor: Int) {
        (self.every, self.divisor) = (every, divisor)
    }
}

/// Heat as iOS tells it to an app (`ProcessInfo.ThermalState`).
public enum Heat: Int, Sendable, CaseIterable {
    case nominal, fair, serious, critical

    /// The number of run records: Android's thermal status of the same meaning (0 none, 1 light, 3 severe, 4 critical).
    public var status: Double { [0, 1, 3, 4][rawValue] }
}

/// Decides how often the network runs and how large the pictures are, from how long it takes, how far frames are apart,
/// and how hot the device is (docs/sdk-rules.md, "Pace of video"). Pure: times and heat come in as values.
///
/// iOS itself keeps its states from swinging, so the pace follows them at once.
public struct FrameGovernor: Sendable {
    public static let share = 0.8
    /// A gap that is longer is a pause, not an interval.
    public static let pauseNs: UInt64 = 500_000_000
    private var networkNs = 0.0
    private var intervalNs = 0.0
    private var lastArrival: UInt64?
    private var heat = Heat.nominal
    private static let firstFlows = 60
    private var flowNs = 0.0
    private var flows = 0
    /// Whether frames are followed by optical flow: not once it took more than half of the time between frames.
    public private(set) var follows = true

    public init() {}

    /// The flow of a frame took that long. The first frames count for nothing: a phone may still be busy with opening.
    public mutating func flowTook(_ nanoseconds: UInt64) {
        flows += 1
        if flows <= Self.firstFlows { return }
        flowNs = smoothed(flowNs, nanoseconds)
        if intervalNs > 0 && flowNs > intervalNs / 2 { follows = false }
    }

    /// The pace for the next frame.
    public var pace: FramePace {
        let factor: Double = heat == .nominal ? 1 : heat == .fair ? 2 : 4
        let needed = intervalNs == 0 ? 1 : (networkNs / (intervalNs * Self.share / factor)).rounded(.up)
        return FramePace(every: Int(min(max(needed, 1), 1e6)), divisor: factor == 4 ? 2 : 1)
    }

    /// A frame arrived at this time of a clock that does not jump, taken or not.
    public mutating func arrived(at nanoseconds: UInt64) {
        if let lastArrival, nanoseconds > lastArrival, nanoseconds - lastArrival <= Self.pauseNs {
            intervalNs = smoothed(intervalNs, nanoseconds - lastArrival)
        }
        lastArrival = nanoseconds
    }

    /// The network took that long for a frame, with all that is done before and after it.
    public mutating func networkTook(_ nanoseconds: UInt64) { networkNs = smoothed(networkNs, nanoseconds) }

    public mutating func isAt(_ heat: Heat) { self.heat = heat }

    private func smoothed(_ old: Double, _ new: UInt64) -> Double {
        old == 0 ? Double(new) : old + (Double(new) - old) / 8
    }
}

/// What becomes of each frame of a video: which ones the network is given, and what is shown. Pure; frames are known by
/// their number.
public struct FrameSchedule: Sendable {
    /// What to do with a frame: `startsNetwork` makes it the next key, `isShown` says that it is shown at once, carried
    /// by the key before.
    public struct Use: Sendable, Equatable {
        public let startsNetwork: Bool
        public let isShown: Bool
    }

    private var governor = FrameGovernor()
    private var arrivals = 0
    private var running: (number: Int, startedNs: UInt64)?
    private var lastKey: Int?
    private var hasKey = false
    private var lastShown = 0

    public init() {}

    public var pace: FramePace { governor.pace }

    /// Whether frames are followed by optical flow.
    public var follows: Bool { governor.follows }

    public mutating func flowTook(_ nanoseconds: UInt64) { governor.flowTook(nanoseconds) }

    /// A frame came: called before anything else is done with it. Gives its number.
    public mutating func arrived(at nanoseconds: UInt64) -> Int {
        governor.arrived(at: nanoseconds)
        arrivals += 1
        return arrivals
    }

    /// What to do with a frame, the newest that waits, now that it is looked at. One of another scene than the keys
    /// (`isCut`) is a key as soon as may be, and nothing is shown before it is styled.
    public mutating func use(of number: Int, at nanoseconds: UInt64, heat: Heat, isCut: Bool = false) -> Use {
        governor.isAt(heat)
        let isDue = isCut || lastKey.map { number - $0 >= governor.pace.every } ?? true
        let starts = running == nil && isDue
        if starts {
            running = (number, nanoseconds)
            lastKey = number
        }
        let waits = starts && governor.pace.every == 1
        let isShown = hasKey && !waits && !isCut
        if isShown { lastShown = number }
        return Use(startsNetwork: starts, isShown: isShown)
    }

    /// The network has made its key. True when that frame itself is to be shown: no later one was.
    public mutating func networkEnded(at nanoseconds: UInt64) -> Bool {
        guard let ended = running else { return false }
        governor.networkTook(nanoseconds > ended.startedNs ? nanoseconds - ended.startedNs : 0)
        (running, hasKey) = (nil, true)
        if lastShown >= ended.number { return false }
        lastShown = ended.number
        return true
    }

    /// The network failed for its key: the key before it stays.
    public mutating func networkFailed() { running = nil }
}
