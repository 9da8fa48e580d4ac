import Foundation

/// What an installation remembers of its variants from one start to the next, as long as bundle, app and system stay
/// the same.
public protocol VariantMemory: Sendable {
    /// Whether the variant passed its goldens here before.
    func hasPassed(_ variant: Variant) -> Bool
    func setPassed(_ variant: Variant)

    /// How many starts in a row ended while they loaded the variant: they left a mark, and nobody who lives holds it.
    func deaths(_ variant: Variant) -> Int
    /// Says that the variant is being loaded, as long as the result lives. Returns when that is on the disk.
    func mark(_ variant: Variant) -> any Sendable
    /// Takes all marks away: the variant was loaded, or refused.
    func unmark(_ variant: Variant)
}

/// Remembers nothing: each start checks the goldens.
public struct NoMemory: VariantMemory {
    public init() {}

    public func hasPassed(_ variant: Variant) -> Bool { false }
    public func setPassed(_ variant: Variant) {}
    public func deaths(_ variant: Variant) -> Int { 0 }
    public func mark(_ variant: Variant) -> any Sendable { 0 }
    public func unmark(_ variant: Variant) {}
}

/// Remembers by small files of a folder that is named by what must stay the same. A memory that cannot be written
/// remembers nothing: a start then checks the goldens again.
public struct FileMemory: VariantMemory {
    private let folder: URL

    /// `same` is all that must not change: bundle, app, system.
    public init(in root: URL, same: [String]) {
        folder = root.appendingPathComponent(sha256(Data(same.joined(separator: "\n").utf8)))
        try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    public func hasPassed(_ variant: Variant) -> Bool {
        FileManager.default.fileExists(atPath: file(variant, "passed").path)
    }

    public func setPassed(_ variant: Variant) { try? Data().write(to: file(variant, "passed"), options: .atomic) }

    /// Each start adds one byte to the mark.
    public func deaths(_ variant: Variant) -> Int {
        let mark = file(variant, "loading")
        guard let bytes = try? Data(contentsOf: mark), FileLock(mark) != nil else { return 0 }
        return bytes.count
    }

    public func mark(_ variant: Variant) -> any Sendable {
        let lock = FileLock(file(variant, "loading"))
        lock?.add()
        return lock
    }

    public func unmark(_ variant: Variant) { try? FileManager.default.removeItem(at: file(variant, "loading")) }

    private func file(_ variant: Variant, _ what: String) -> URL {
        folder.appendingPathComponent("\(variant.sha256)-\(engineKey(variant)).\(what)")
    }
}
