import Foundation

/// Variants that passed their goldens on this device, kept until the bundle, the artifact or the system changes.
struct VerifiedVariants {
    private let bundle: String

    init(bundle: String) {
        self.bundle = bundle
    }

    func contains(_ session: Session) -> Bool { UserDefaults.standard.string(forKey: key(session)) == value(session) }

    func insert(_ session: Session) { UserDefaults.standard.set(value(session), forKey: key(session)) }

    private func key(_ session: Session) -> String { "edgebundle.verified.\(session.variant.id)" }

    private func value(_ session: Session) -> String { "\(bundle) \(session.variant.sha256) \(session.engine.runtimeVersion)" }
}
