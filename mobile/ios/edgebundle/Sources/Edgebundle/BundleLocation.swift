import Foundation

/// Where an app carries its bundles: in folders `edgebundle/NAME` among its own resources, or among those of the Swift
/// packages that it uses.
public enum BundleLocation {
    /// Models that `xcrun coremlcompiler` compiled when the project was written, by variant; they save the compilation
    /// on the device.
    public static let compiledFolder = "edgebundle-compiled"

    /// The names of the bundles that the app carries, in alphabetical order.
    public static func names() -> [String] { all().keys.sorted() }

    /// The folder of the bundle of that name, or of the only one. Throws `BundleError` when there is none, or several
    /// and no name.
    public static func find(_ name: String? = nil) throws -> URL {
        let all = all()
        return all[try BundleChoice.choose(Array(all.keys), name)]!  // it is one of the keys
    }

    private static func all() -> [String: URL] {
        BundleChoice.search([Bundle.main.resourceURL, Bundle.main.bundleURL].compactMap { $0 })
    }

    /// The model of a variant that was compiled beforehand, if the app carries it.
    static func compiled(_ variant: Variant) -> URL? {
        guard
            let place = Bundle.main.resourceURL?.appendingPathComponent("\(compiledFolder)/\(variant.sha256).mlmodelc")
        else { return nil }
        return FileManager.default.fileExists(atPath: place.path) ? place : nil
    }
}
