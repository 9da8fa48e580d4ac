/// What a run is worth: its grade (`ok`, `unstable`, `invalid`), the code of what speaks against it, and the facts.
/// Codes, details and words are those of harness/records/verdict.py.
public struct Verdict: Codable, Sendable, Equatable {
    public enum Fact: Codable, Sendable, Equatable {
        case number(Double)
        case text(String)

        public init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let number = try? value.decode(Double.self) {
                self = .number(number)
            } else {
                self = .text(try value.decode(String.self))
            }
        }

        public func encode(to encoder: any Encoder) throws {
            var value = encoder.singleValueContainer()
            switch self {
            case .number(let number): try value.encode(number)
            case .text(let text): try value.encode(text)
            }
        }
    }

    public let grade: String
    public let code: String
    public let detail: [String: Fact]

    static let good = Verdict(grade: "ok", code: "ok", detail: [:])

    static func invalid(_ code: String, _ detail: [String: Fact] = [:]) -> Verdict {
        Verdict(grade: "invalid", code: code, detail: detail)
    }

    static func unstable(_ code: String, _ detail: [String: Fact]) -> Verdict {
        Verdict(grade: "unstable", code: code, detail: detail)
    }

    /// `ok`, or the grade with what speaks against the run.
    public var words: String { code == "ok" ? "ok" : "\(grade): \(why)" }

    /// Of `android.os.PowerManager`, whose scale iOS's states are put on.
    private static let statusNames = ["NONE", "LIGHT", "MODERATE", "SEVERE", "CRITICAL", "EMERGENCY", "SHUTDOWN"]

    private var why: String {
        switch code {
        case "golden_failed":
            return
                "golden \(text("golden")) reached \(oneDigit(number("psnr_db"))) dB, the bundle asks for \(oneDigit(number("min_psnr_db"))) dB"
        case "not_finite": return "the output for golden \(text("golden")) holds values that are not finite"
        case "other_delegate": return "\(text("executed")) executed it, \(text("requested")) was asked for"
        case "hidden": return "the app was not in the foreground all the time"
        case "throttled":
            let status = Int(number("status"))
            return
                "throttled: the device told thermal status \(status) (\(Self.statusNames[min(max(status, 0), Self.statusNames.count - 1)]))"
        case "unchecked": return "the output was not checked (\(text("reason")))"
        case "delegate_unknown": return "which delegate executed is unknown (\(text("reason")))"
        default: return code
        }
    }

    private func text(_ name: String) -> String { if case .text(let text) = detail[name] { text } else { "" } }

    private func number(_ name: String) -> Double { if case .number(let number) = detail[name] { number } else { 0 } }
}

/// The first thing that speaks against a run that an app measured, worst first, by the rule of
/// harness/analysis/verdict.py.
func edgebundleVerdict(_ golden: GoldenResult?, requested: String, executed: TextReading, _ seen: RunRecord.Seen)
    -> Verdict
{
    if let golden, !golden.passed {
        if golden.psnrDb <= -200 { return .invalid("not_finite", ["golden": .text(golden.id)]) }  // what stands for it: Parity.swift
        return .invalid(
            "golden_failed",
            ["golden": .text(golden.id), "psnr_db": .number(golden.psnrDb), "min_psnr_db": .number(golden.minPsnrDb)])
    }
    if let value = executed.value, value != requested {
        return .invalid("other_delegate", ["executed": .text(value), "requested": .text(requested)])
    }
    if seen.wasHidden { return .invalid("hidden") }
    let statuses =
        [seen.start.thermalStatus.value, seen.end.thermalStatus.value]
        + seen.samples.filter { $0.unit == "status" }.map { Optional($0.value) }
    if let hottest = statuses.compactMap({ $0 }).max(), hottest >= 1 {
        return .invalid("throttled", ["status": .number(hottest.rounded(.down))])
    }
    if golden == nil { return .unstable("unchecked", ["reason": .text(RunRecord.noGolden)]) }
    if executed.value == nil {
        return .unstable("delegate_unknown", ["reason": .text(executed.reason ?? "it does not say")])
    }
    return .good
}
