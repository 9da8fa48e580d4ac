@_exported import Foundation

@MainActor public final class UIDevice {
    public enum BatteryState: Int, Sendable { case unknown, unplugged, charging, full }
    public static var current: UIDevice { fatalError() }
    public var isBatteryMonitoringEnabled: Bool { get { fatalError() } set { fatalError() } }
    public var batteryLevel: Float { fatalError() }
    public var batteryState: BatteryState { fatalError() }
}
@MainActor public final class UIApplication {
    public static var shared: UIApplication { fatalError() }
    public nonisolated static var didEnterBackgroundNotification: NSNotification.Name { fatalError() }
    public var isIdleTimerDisabled: Bool { get { fatalError() } set { fatalError() } }
}
// Part of Foundation on Apple's systems.
extension ProcessInfo {
    public enum ThermalState: Int, Sendable { case nominal, fair, serious, critical }
    public var thermalState: ThermalState { fatalError() }
    public var isLowPowerModeEnabled: Bool { fatalError() }
    public static var thermalStateDidChangeNotification: NSNotification.Name { fatalError() }
}
