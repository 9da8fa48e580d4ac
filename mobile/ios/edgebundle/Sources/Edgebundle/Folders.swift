import Foundation

/// Where this library keeps what it can make again: the system may empty it while the app does not run.
enum Folders {
    /// Models that this device compiled, by the system's build: after an update of it they are compiled anew.
    static func compiled() throws -> URL {
        try caches().appendingPathComponent("compiled/\(system.filter { $0.isLetter || $0.isNumber || $0 == "." })")
    }

    /// Takes away what was compiled for a system that was here before.
    static func removeOtherSystems() {
        guard let own = try? compiled() else { return }
        let all =
            (try? FileManager.default.contentsOfDirectory(
                at: own.deletingLastPathComponent(), includingPropertiesForKeys: nil)) ?? []
        for folder in all where folder.lastPathComponent != own.lastPathComponent {
            try? FileManager.default.removeItem(at: folder)
        }
    }

    /// Bundles that were taken out of files. The app's caches may be emptied: the file is still there then.
    static func bundles() throws -> URL { try caches().appendingPathComponent("bundles") }

    /// What this installation remembers of the bundle's variants, until bundle, app or system change.
    static func memory(_ loader: ModelLoader) throws -> FileMemory {
        let build = Bundle.main.infoDictionary?["CFBundleVersion"] as? String ?? ""
        return FileMemory(
            in: try caches().appendingPathComponent("variants"), same: [loader.bundleSha256, build, system])
    }

    private static var system: String { ProcessInfo.processInfo.operatingSystemVersionString }

    private static func caches() throws -> URL {
        do {
            return try FileManager.default.url(
                for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true
            ).appendingPathComponent("edgebundle")
        } catch {
            throw BundleError("the app has no folder for caches (\(error.localizedDescription)); free space.")
        }
    }
}
