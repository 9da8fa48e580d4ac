import Foundation

/// The bundles that an app carries, each in a folder `edgebundle/NAME`.
public enum BundleChoice {
    /// The folder of all bundles, among the app's own resources or among those of a Swift package.
    public static let folder = "edgebundle"

    /// The bundle that is meant of those that an app carries, by their names: the `wished` one, or the only one.
    /// Throws `BundleError` when there is none of that name, or several and no wish (docs/sdk-rules.md, "Several
    /// bundles").
    public static func choose(_ names: [String], _ wished: String?) throws -> String {
        guard !names.isEmpty else {
            throw BundleError("the app carries no bundle; add what 'builder package' made to the app.")
        }
        let known = names.sorted().joined(separator: ", ")
        if let wished {
            guard names.contains(wished) else {
                throw BundleError("the app carries no bundle '\(wished)'; it has \(known).")
            }
            return wished
        }
        guard names.count == 1 else {
            throw BundleError("the app carries several bundles (\(known)); say which one is to be opened.")
        }
        return names[0]
    }

    /// The bundles below folders of resources, by their names. Resources of Swift packages lie there too, each
    /// package's in a bundle of its own (on Linux in a folder with another ending). The first of a name counts.
    public static func search(_ resources: [URL]) -> [String: URL] {
        var found: [String: URL] = [:]
        for place in resources.flatMap({ [$0] + packages(in: $0) }).map({ $0.appendingPathComponent(folder) }) {
            for bundle in contents(place) where isBundle(bundle) && found[bundle.lastPathComponent] == nil {
                found[bundle.lastPathComponent] = bundle
            }
        }
        return found
    }

    private static func packages(in resources: URL) -> [URL] {
        contents(resources).filter { ["bundle", "resources"].contains($0.pathExtension) }
            .map { Bundle(url: $0)?.resourceURL ?? $0 }
    }

    private static func isBundle(_ folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent(ModelLoader.manifestName).path)
    }

    /// Nothing of a folder that is not there.
    private static func contents(_ folder: URL) -> [URL] {
        let all = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return (all ?? []).sorted { $0.path < $1.path }
    }
}
