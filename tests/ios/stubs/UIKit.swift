@_exported import CoreGraphics

@MainActor public final class UIDevice {
    public enum BatteryState: Int, Sendable { case unknown, unplugged, charging, full }
    public static var current: UIDevice { fatalError() }
    public var isBatteryMonitoringEnabled: Bool {
        get { fatalError() }
        set { fatalError() }
    }
    public var batteryLevel: Float { fatalError() }
    public var batteryState: BatteryState { fatalError() }
}
@MainActor public final class UIApplication {
    public static var shared: UIApplication { fatalError() }
    public nonisolated static var didEnterBackgroundNotification: NSNotification.Name { fatalError() }
    public var isIdleTimerDisabled: Bool {
        get { fatalError() }
        set { fatalError() }
    }
}
/// Apple marks it Sendable: it never changes.
public final class UIImage: @unchecked Sendable {
    public enum Orientation: Int, Sendable {
        case up, down, left, right, upMirrored, downMirrored, leftMirrored, rightMirrored
    }
    public let cgImage: CGImage?
    public let scale: CGFloat
    public let imageOrientation: Orientation
    public init(cgImage: CGImage, scale: CGFloat, orientation: Orientation) {
        (self.cgImage, self.scale, imageOrientation) = (cgImage, scale, orientation)
    }
}
