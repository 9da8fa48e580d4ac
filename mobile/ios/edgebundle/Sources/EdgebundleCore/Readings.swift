/// A number that was read from the device, or why not.
public struct Reading: Codable, Sendable, Equatable {
    public let value: Double?
    public let unit: String
    public let reason: String?

    public static func of(_ value: Double, _ unit: String) -> Reading { Reading(value: value, unit: unit, reason: nil) }

    public static func missing(_ unit: String, _ reason: String) -> Reading {
        Reading(value: nil, unit: unit, reason: reason)
    }
}

/// A text that was read from the device, or why not.
public struct TextReading: Codable, Sendable, Equatable {
    public let value: String?
    public let reason: String?

    public static func of(_ value: String) -> TextReading { TextReading(value: value, reason: nil) }

    public static func missing(_ reason: String) -> TextReading { TextReading(value: nil, reason: reason) }
}

public struct DeviceInfo: Codable, Sendable {
    public let kind: String
    public let id: String
    public let model: TextReading
    public let soc: TextReading
    public let os: TextReading
    public let build: TextReading
    public let abi: TextReading

    public init(
        kind: String, id: String, model: TextReading, soc: TextReading, os: TextReading, build: TextReading,
        abi: TextReading
    ) {
        (self.kind, self.id, self.model, self.soc, self.os, self.build, self.abi) = (
            kind, id, model, soc, os, build, abi
        )
    }
}

/// State of the device at one moment: degrees Celsius, thermal status, percent.
public struct Conditions: Codable, Sendable {
    public let temperatureC: Reading
    public let thermalStatus: Reading
    public let batteryPercent: Reading
    public let charging: TextReading

    enum CodingKeys: String, CodingKey {
        case charging
        case temperatureC = "temperature_c"
        case thermalStatus = "thermal_status"
        case batteryPercent = "battery_percent"
    }

    public init(temperatureC: Reading, thermalStatus: Reading, batteryPercent: Reading, charging: TextReading) {
        (self.temperatureC, self.thermalStatus, self.batteryPercent, self.charging) = (
            temperatureC, thermalStatus, batteryPercent, charging
        )
    }
}

/// One probe value over time: seconds after the start of the run.
public struct Sample: Codable, Sendable, Equatable {
    public let seconds: Double
    public let probe: String
    public let value: Double
    public let unit: String

    enum CodingKeys: String, CodingKey {
        case probe, value, unit
        case seconds = "t_s"
    }

    public init(seconds: Double, probe: String, value: Double, unit: String) {
        (self.seconds, self.probe, self.value, self.unit) = (seconds, probe, value, unit)
    }
}

/// Where the runtime plans to execute one op of the artifact: `cpu`, `gpu` or `neural engine`.
public struct OpDevice: Codable, Sendable, Equatable {
    public let op: String
    public let device: String

    public init(op: String, device: String) {
        (self.op, self.device) = (op, device)
    }
}

public struct GoldenResult: Codable, Sendable, Equatable {
    public let id: String
    public let passed: Bool
    public let psnrDb: Double
    public let maxAbsError: Double
    public let minPsnrDb: Double

    enum CodingKeys: String, CodingKey {
        case id, passed
        case psnrDb = "psnr_db"
        case maxAbsError = "max_abs_error"
        case minPsnrDb = "min_psnr_db"
    }

    public init(id: String, passed: Bool, psnrDb: Double, maxAbsError: Double, minPsnrDb: Double) {
        (self.id, self.passed, self.psnrDb, self.minPsnrDb) = (id, passed, psnrDb, minPsnrDb)
        // JSON has no infinity: an output that is not finite is named by the largest float32.
        self.maxAbsError = min(maxAbsError, Double(Float.greatestFiniteMagnitude))
    }

    public var inWords: String { "\(oneDigit(psnrDb)) dB, at least \(oneDigit(minPsnrDb)) dB are needed" }
}

/// A number with one digit after the point, whatever the language of the device.
func oneDigit(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10)"
}
