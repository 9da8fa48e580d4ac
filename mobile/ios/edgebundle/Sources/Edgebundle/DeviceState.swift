#if canImport(CoreML)
    import Foundation
    import os

    /// Reads what decides how a network is used on this device, on all of Apple's systems.
    public enum DeviceState {
        /// The label of a simulator's numbers, `nil` on a device.
        public static var simulated: String? {
            #if targetEnvironment(simulator)
                return "simulator: not device-representative"
            #else
                return nil
            #endif
        }

        /// What decides which variant this device is given. An app is not told the name of the chip.
        public static func facts() -> DeviceFacts {
            #if canImport(UIKit)
                let system = ProcessInfo.processInfo.operatingSystemVersion.majorVersion
            #else
                let system = iosVersion(ofMac: ProcessInfo.processInfo.operatingSystemVersion.majorVersion)
            #endif
            return DeviceFacts(phone: Phone(model: machine()), freeMemoryBytes: freeMemory(), system: system)
        }

        public static func heat() -> Heat {
            switch ProcessInfo.processInfo.thermalState {
            case .nominal: return .nominal
            case .fair: return .fair
            case .serious: return .serious
            case .critical: return .critical
            @unknown default: return .critical
            }
        }

        /// Bytes that the app may still use before the system ends it, `nil` where the system does not tell.
        public static func freeMemory() -> Int? {
            #if canImport(UIKit)
                let bytes = os_proc_available_memory()
                return bytes > 0 ? Int(bytes) : nil
            #else
                return nil  // a Mac has no such limit
            #endif
        }

        public static var isLowPower: Bool { ProcessInfo.processInfo.isLowPowerModeEnabled }

        /// The model's own name of the device, such as `iPhone17,1`.
        static func machine() -> String {
            if let simulated = ProcessInfo.processInfo.environment["SIMULATOR_MODEL_IDENTIFIER"] { return simulated }
            var info = utsname()
            uname(&info)
            return withUnsafeBytes(of: &info.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
    }
#endif
