import Foundation

/// Takes a bundle out of its `.zip` into a folder of `place` that is named by the hash of its manifest: whole or
/// absent, whatever interrupts it (docs/sdk-rules.md, "Bundles in a file"). A folder that is there is taken as it is:
/// what opens it checks its files.
public struct BundleArchive {
    private static let mostBytes = 8 << 30
    private let place: URL
    private let inflate: Inflate

    public init(in place: URL, inflate: @escaping Inflate) { (self.place, self.inflate) = (place, inflate) }

    /// The folder of the bundle in an archive. Throws `BundleError` for what is no whole archive of a bundle, and where
    /// there is no room.
    public func unpacked(_ url: URL) throws -> URL {
        let (zip, name) = (try ZipArchive(url), url.lastPathComponent)
        guard let first = zip.entries.first(where: { $0.name == ModelLoader.manifestName }) else {
            throw BundleError("\(name) is no bundle: it has no \(ModelLoader.manifestName) at its top.")
        }
        let text = try zip.read(first, inflate: inflate)
        let folder = place.appendingPathComponent(sha256(text))
        if FileManager.default.fileExists(atPath: folder.path) { return folder }
        let manifest = try Manifest.read(text)
        let files = try check(zip, name, manifest)
        let work = place.appendingPathComponent(".\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: work) }  // it is not there any more once it was renamed
        do {
            for (entry, hash) in files {
                let content = try zip.read(entry, inflate: inflate)
                guard sha256(content) == hash else {
                    throw BundleError(
                        "\(entry.name) of \(name) does not have the hash in its manifest; download it again.")
                }
                try write(content, work.appendingPathComponent(entry.name))
            }
            try write(text, work.appendingPathComponent(ModelLoader.manifestName))
            if rename(work.path, folder.path) != 0, !FileManager.default.fileExists(atPath: folder.path) {
                throw BundleError("\(folder.path) cannot be made (\(String(cString: strerror(errno)))).")
            }
        } catch let error as BundleError {
            throw error
        } catch {
            throw BundleError("\(name) cannot be taken out (\(error.localizedDescription)); free space.")
        }
        return folder
    }

    /// All that the manifest names is there with its hash, and nothing else. Its own names were checked when it was
    /// read.
    private func check(_ zip: ZipArchive, _ name: String, _ manifest: Manifest) throws -> [(ZipArchive.Entry, String)] {
        let there = zip.entries.filter { !$0.name.hasSuffix("/") }
        let hashes = Dictionary(manifest.files.map { ($0.file, $0.sha256) }) { $1 }
        let own: Set = [ModelLoader.manifestName, ".edgebundle.json"]
        if let missing = hashes.keys.filter({ file in !there.contains { $0.name == file } }).min() {
            throw BundleError("\(name) lacks \(missing); download it again.")
        }
        let stranger = there.first { hashes[$0.name] == nil && !own.contains($0.name) }
        guard stranger == nil, Set(there.map(\.name)).count == there.count else {
            throw BundleError(
                "\(name) is refused: it holds \(stranger?.name ?? "a file twice"), which its manifest does not name.")
        }
        guard there.reduce(0, { $0 + $1.size }) <= Self.mostBytes else {
            throw BundleError("\(name) unpacks to more than \(Self.mostBytes >> 30) GB and is refused.")
        }
        return there.compactMap { entry in hashes[entry.name].map { (entry, $0) } }
    }

    private func write(_ content: Data, _ target: URL) throws {
        try FileManager.default.createDirectory(
            at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try content.write(to: target)
    }
}
