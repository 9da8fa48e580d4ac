import Foundation

/// By what names a phone is known; `nil` where it does not tell one. An iPhone tells its model alone. The rule, which
/// is that of harness/records/phone.py, serves records of Android phones too.
public struct Phone: Codable, Sendable, Equatable {
    public let soc: String?
    public let board: String?
    public let hardware: String?
    public let model: String?

    public init(soc: String? = nil, board: String? = nil, hardware: String? = nil, model: String? = nil) {
        (self.soc, self.board, self.hardware, self.model) = (soc, board, hardware, model)
    }

    /// A phone by what its system says of it.
    public init(
        socManufacturer: String?, socModel: String?, board: String?, hardware: String?, manufacturer: String?,
        model: String?
    ) {
        self.init(
            soc: Self.joined(socManufacturer, socModel), board: Self.known(board), hardware: Self.known(hardware),
            model: Self.joined(manufacturer, model))
    }

    /// Whether what was measured on one counts for the other. Where both tell their SoC, it alone decides. Otherwise
    /// one name that both tell and that is not shared by several SoCs must be the same: the board, the hardware, or the
    /// model.
    public func isSame(as other: Phone) -> Bool {
        if let mine = Self.chip(soc), let others = Self.chip(other.soc) { return mine == others }
        let pairs = [(board, other.board), (hardware, other.hardware), (model, other.model)]
        return pairs.contains { one, two in
            Self.telling(one) != nil && Self.telling(one) == Self.telling(two)
        }
    }

    /// Names that say nothing: what systems write where they know none, and those of emulators.
    private static let nothing: Set = ["", "unknown", "none", "null", "default", "goldfish", "ranchu"]
    /// Boards and hardware that several SoCs share, as their phones report them.
    private static let shared: Set = [
        "qcom", "semc", "sc8830", "msm8937", "msm8952", "msm8953", "lito", "bengal", "holi",
    ]
    /// Vendors write one chip in several ways (`MT6893Z/CZA`, `SM8650-AC`): the number decides.
    private static let chipName = #"\b(MT\d{4}|(?:SM|SDM|MSM|QCM|SC)\d{3,4})"#

    private static func joined(_ manufacturer: String?, _ model: String?) -> String? {
        known(model).map { [known(manufacturer), $0].compactMap { $0 }.joined(separator: " ") }
    }

    private static func chip(_ name: String?) -> String? {
        guard let name = known(name) else { return nil }
        let found = name.range(of: chipName, options: [.regularExpression, .caseInsensitive])
        return (found.map { String(name[$0]) } ?? name).lowercased()
    }

    private static func telling(_ name: String?) -> String? {
        guard let name = known(name)?.lowercased(), !shared.contains(name) else { return nil }
        return name
    }

    private static func known(_ name: String?) -> String? {
        guard let name = name?.trimmingCharacters(in: .whitespacesAndNewlines), !nothing.contains(name.lowercased())
        else { return nil }
        return name
    }
}
