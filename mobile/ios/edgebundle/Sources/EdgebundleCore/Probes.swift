/// The names of what the app reads beside a measurement, with their units: those of harness/probes/names.py.
public enum Probe: String, CaseIterable, Sendable {
    case thermalStatus = "thermal_status"
    /// What the system counts against the app's limit, `phys_footprint`.
    case memory
    case lowPowerMode = "low_power_mode"

    public var unit: String {
        switch self {
        case .thermalStatus: return "status"
        case .memory: return "B"
        case .lowPowerMode: return "flag"
        }
    }
}
