#if canImport(UIKit) && canImport(Darwin)
    @preconcurrency import Darwin
    import Foundation
    import UIKit

    /// Reads what a run record says of the phone; what cannot be read is named with its reason.
    extension DeviceState {
        /// `id` is what the harness calls this device: an app cannot read its UDID.
        public static func info(id: String) -> DeviceInfo {
            let version = ProcessInfo.processInfo.operatingSystemVersionString
            return DeviceInfo(
                kind: simulated == nil ? "ios" : "ios-simulator", id: id, model: .of(machine()),
                soc: .missing("iOS does not name the chip to an app"),
                os: .of("iOS \(version)"), build: .of(version), abi: .of("arm64"))
        }

        /// The state of the phone now.
        @MainActor
        public static func conditions() -> Conditions {
            let device = UIDevice.current
            device.isBatteryMonitoringEnabled = true
            let level = device.batteryLevel
            return Conditions(
                temperatureC: .missing("degC", "iOS tells an app no temperature"),
                thermalStatus: simulated == nil
                    ? .of(heat().status, "status") : .missing("status", "a simulator has no thermal state"),
                batteryPercent: level < 0
                    ? .missing("%", "the system reports no battery state") : .of(Double(level) * 100, "%"),
                charging: charging(device.batteryState))
        }

        /// What the system counts against the app's limit: `phys_footprint`, now and at its highest.
        public static func footprint() -> (now: Reading, peak: Reading) {
            var info = task_vm_info_data_t()
            var count = mach_msg_type_number_t(MemoryLayout<task_vm_info_data_t>.size / MemoryLayout<natural_t>.size)
            let status = withUnsafeMutablePointer(to: &info) { pointer in
                pointer.withMemoryRebound(to: integer_t.self, capacity: Int(count)) {
                    task_info(mach_task_self_, task_flavor_t(TASK_VM_INFO), $0, &count)
                }
            }
            guard status == KERN_SUCCESS else {
                let missing = Reading.missing("B", "task_info failed with \(status)")
                return (missing, missing)
            }
            return (.of(Double(info.phys_footprint), "B"), .of(Double(info.ledger_phys_footprint_peak), "B"))
        }

        @MainActor
        private static func charging(_ state: UIDevice.BatteryState) -> TextReading {
            switch state {
            case .charging: return .of("charging")
            case .full: return .of("full")
            case .unplugged: return .of("discharging")
            case .unknown: return .missing("the system reports no battery state")
            @unknown default: return .missing("the system reports an unknown battery state")
            }
        }
    }
#endif
