import Foundation

/// What a benchmark is asked for by launch arguments, so that a computer can start it:
///
///     -edgebundle-run quick -edgebundle-variant ID -edgebundle-warmup 5 -edgebundle-runs 50 -edgebundle-seconds 10
///         -edgebundle-bundle FOLDER -edgebundle-output runs.jsonl -edgebundle-device UDID -edgebundle-id HEX
///
/// `-edgebundle-run PROTOCOL` makes it a request; `conditions` asks for the phone's state alone. FOLDER and the output
/// lie in the app's Documents folder.
public struct BenchmarkRequest: Sendable, Equatable {
    public let protocolName: String
    public let variant: String?
    public let warmup: Int
    public let runs: Int
    public let seconds: Double
    public let bundle: String?
    public let output: String
    public let device: String
    public let id: String

    public init(
        protocolName: String, variant: String? = nil, warmup: Int = 5, runs: Int = 30, seconds: Double = 0,
        bundle: String? = nil,
        output: String = "runs.jsonl", device: String, id: String = UUID().uuidString
    ) {
        (self.protocolName, self.variant, self.warmup, self.runs, self.seconds) = (
            protocolName, variant, warmup, runs, seconds
        )
        (self.bundle, self.output, self.device, self.id) = (bundle, output, device, id)
    }

    /// Whether nothing is to be measured: the output is to hold the phone's state, as one `Conditions`.
    public var asksForConditions: Bool { protocolName == "conditions" }

    /// Warm-up and runs of the harness's protocols, for requests that name one and no numbers.
    private static let protocols = ["quick": (5, 30), "standard": (20, 200)]
    private static let mostSeconds = 24 * 3600.0
    private static let prefix = "-edgebundle-"
    private static let names: Set<String> = [
        "run", "variant", "warmup", "runs", "seconds", "bundle", "output", "device", "id",
    ]

    /// The request in the arguments of a process; `nil` when the app was started to be used. Throws `BundleError` for a
    /// bad value.
    public static func from(_ arguments: [String], device: String) throws -> BenchmarkRequest? {
        var values: [String: String] = [:]
        var at = 0
        while at < arguments.count {
            defer { at += 1 }
            guard arguments[at].hasPrefix(prefix) else { continue }
            let name = String(arguments[at].dropFirst(prefix.count))
            guard names.contains(name) else { throw BundleError("there is no argument '\(arguments[at])'.") }
            guard at + 1 < arguments.count else { throw BundleError("'\(arguments[at])' needs a value.") }
            values[name] = arguments[at + 1]
            at += 1
        }
        guard let name = values["run"] else {
            if let other = values.keys.sorted().first {
                throw BundleError("'\(prefix)\(other)' needs '\(prefix)run PROTOCOL' too.")
            }
            return nil
        }
        let (warmup, runs) = protocols[name] ?? (3, 1)
        return BenchmarkRequest(
            protocolName: name,
            variant: values["variant"],
            warmup: try number(values["warmup"], "warmup", in: 0...Benchmark.most) ?? warmup,
            runs: try number(values["runs"], "runs", in: 1...Benchmark.most) ?? runs,
            seconds: try seconds(values["seconds"]),
            bundle: try values["bundle"].map { try plainName($0, "bundle") },
            output: try plainName(values["output"] ?? "runs.jsonl", "output"),
            device: values["device"] ?? device,
            id: try plainName(values["id"] ?? UUID().uuidString, "id")
        )
    }

    private static func number(_ text: String?, _ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let text else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw BundleError("'\(prefix)\(name)' must be \(range.lowerBound) to \(range.upperBound), not '\(text)'.")
        }
        return value
    }

    private static func seconds(_ text: String?) throws -> Double {
        guard let text else { return 0 }
        guard let value = Double(text), (0...mostSeconds).contains(value) else {
            throw BundleError("'\(prefix)seconds' must be 0 to \(Int(mostSeconds)), not '\(text)'.")
        }
        return value
    }

    /// A name that stays in the folder it is for.
    private static func plainName(_ text: String, _ name: String) throws -> String {
        let plain = text.utf8.allSatisfy {
            ($0 >= 48 && $0 <= 57) || ($0 >= 65 && $0 <= 90) || ($0 >= 97 && $0 <= 122) || [45, 46, 95].contains($0)
        }
        guard plain, !text.isEmpty, !text.hasPrefix(".") else {
            throw BundleError("'\(prefix)\(name)' must be a file name, not '\(text)'.")
        }
        return text
    }
}
