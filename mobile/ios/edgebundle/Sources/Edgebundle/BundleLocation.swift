import Foundation

/// Where an app carries its bundle: a folder `edgebundle` among its own resources, or among those of this Swift
/// package.
public enum BundleLocation {
    public static let folder = "edgebundle"
    /// Models that `xcrun coremlcompiler` compiled when the project was written, by variant; they save the compilation
    /// on the device.
    public static let compiledFolder = "edgebundle-compiled"

    /// Throws `BundleError` when there is none.
    public static func find() throws -> URL {
        var places = [Bundle.main.resourceURL]
        #if EDGEBUNDLE_RESOURCES
            places.append(Bundle.module.resourceURL)
        #endif
        for place in places.compactMap({ $0?.appendingPathComponent(folder) })
        where FileManager.default.fileExists(atPath: place.appendingPathComponent(ModelLoader.manifestName).path) {
            return place
        }
        throw BundleError(
            "the app carries no folder '\(folder)'; add it as a folder reference, or make the app with 'builder package'."
        )
    }

    /// The model of a variant that was compiled beforehand, if the app carries it.
    static func compiled(_ variant: Variant) -> URL? {
        guard
            let place = Bundle.main.resourceURL?.appendingPathComponent("\(compiledFolder)/\(variant.sha256).mlmodelc")
        else { return nil }
        return FileManager.default.fileExists(atPath: place.path) ? place : nil
    }
}
