/// What decides which variant a device is given; `nil` where the device does not say.
public struct DeviceFacts: Sendable {
    public let phone: Phone
    public let freeMemoryBytes: Int?
    /// Major version of iOS.
    public let system: Int?

    public init(phone: Phone, freeMemoryBytes: Int?, system: Int?) {
        (self.phone, self.freeMemoryBytes, self.system) = (phone, freeMemoryBytes, system)
    }
}

/// The iOS that has the Core ML of a macOS: 16 for 13, and the same number from 26 on.
public func iosVersion(ofMac version: Int) -> Int { version < 26 ? version + 3 : version }

/// The variants to try, best first, and what to say about the others.
public struct VariantChoice: Sendable {
    public let order: [Variant]
    public let messages: [String]
}

/// The variants of a manifest that one of `engines` executes, in the order in which they are tried: by the bundle's
/// measured ranking for this device where it carries one, else as the manifest lists them; those that need more memory
/// than is free come last, the smallest first. Variants for a newer iOS are left out and named.
public func chooseVariants(_ manifest: Manifest, engines: Set<String>, facts: DeviceFacts) -> VariantChoice {
    var messages: [String] = []
    let runnable = manifest.variants.filter { variant in
        guard engines.contains(engineKey(variant)) else { return false }
        guard let least = minimumSystem(variant), let system = facts.system, least > system else { return true }
        messages.append(
            "variant '\(variant.id)' needs \(variant.minimumRuntime ?? "a newer iOS") and this is iOS \(system); others are tried."
        )
        return false
    }
    var ranked = runnable
    if let ranking = manifest.rankings?.first(where: { $0.fits(facts) }) {
        // sorted by place and, where equal, as before: `sort` alone promises no stability
        ranked = runnable.enumerated().sorted {
            ($0.element.place(in: ranking), $0.offset) < ($1.element.place(in: ranking), $1.offset)
        }.map(\.element)
    }
    guard let free = facts.freeMemoryBytes else { return VariantChoice(order: ranked, messages: messages) }
    let large = ranked.filter { ($0.predictedPeakMemoryBytes ?? 0) > free }
    for variant in large {
        let needed = (variant.predictedPeakMemoryBytes ?? 0) / 1_000_000
        messages.append(
            "variant '\(variant.id)' needs \(needed) MB of memory and \(free / 1_000_000) MB are free; others are tried first."
        )
    }
    let fitting = ranked.filter { ($0.predictedPeakMemoryBytes ?? 0) <= free }
    return VariantChoice(
        order: fitting + large.sorted { ($0.predictedPeakMemoryBytes ?? 0) < ($1.predictedPeakMemoryBytes ?? 0) },
        messages: messages)
}

/// Key of an engine: what it executes.
public func engineKey(_ variant: Variant) -> String { "\(variant.backend)-\(variant.delegate)" }

/// The number in `iOS 17`, `nil` for runtimes that are no system.
private func minimumSystem(_ variant: Variant) -> Int? {
    guard let text = variant.minimumRuntime, text.hasPrefix("iOS ") else { return nil }
    return Int(text.dropFirst(4).prefix { $0.isNumber })
}

extension Variant {
    fileprivate func place(in ranking: Ranking) -> Int { ranking.place(self) }
}
