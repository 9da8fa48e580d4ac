import Foundation

/// Undoes DEFLATE (RFC 1951); of what gives more bytes than that, so many. Throws for what is none.
public typealias Inflate = (_ packed: Data, _ most: Int) throws -> Data

/// The files of a `.zip`, read where it lies (PKWARE's APPNOTE.TXT, 4.3). Throws `BundleError` for what is no whole
/// archive, or needs more than stored and deflated files below 4 GB.
struct ZipArchive {
    struct Entry {
        let name: String
        let size: Int
        fileprivate let packed: Int
        fileprivate let isDeflated: Bool
        fileprivate let at: Int
    }

    let entries: [Entry]
    private let data: Data
    private let name: String

    init(_ url: URL) throws {
        name = url.lastPathComponent
        do {
            data = try Data(contentsOf: url, options: .mappedIfSafe)
        } catch {
            throw BundleError("\(name) cannot be read (\(error.localizedDescription)).")
        }
        entries = try Self.list(data, name)
    }

    /// The content of a file; `inflate` gives that of a deflated one, and not more than it says.
    func read(_ entry: Entry, inflate: Inflate) throws -> Data {
        let head = entry.at
        guard let mark = word(data, head, 4), mark == 0x0403_4b50, let names = word(data, head + 26, 2),
            let extra = word(data, head + 28, 2), head + 30 + names + extra + entry.packed <= data.count
        else { throw Self.broken(name) }
        let start = data.startIndex + head + 30 + names + extra
        let packed = data[start..<start + entry.packed]
        let content = entry.isDeflated ? try inflate(Data(packed), entry.size) : Data(packed)
        guard content.count == entry.size else { throw Self.broken(name) }
        return content
    }

    private static func list(_ data: Data, _ name: String) throws -> [Entry] {
        // the end of the directory, before a comment of at most 65,535 bytes
        let last = data.count - 22
        guard last >= 0,
            let end = stride(from: last, through: max(0, last - 65_535), by: -1).first(where: {
                word(data, $0, 4) == 0x0605_4b50
            }), let count = word(data, end + 10, 2), let directory = word(data, end + 16, 4)
        else { throw broken(name) }
        var (entries, at) = ([Entry](), directory)
        for _ in 0..<count {
            guard word(data, at, 4) == 0x0201_4b50, let flags = word(data, at + 8, 2),
                let method = word(data, at + 10, 2), let packed = word(data, at + 20, 4),
                let size = word(data, at + 24, 4), let names = word(data, at + 28, 2),
                let extra = word(data, at + 30, 2), let comment = word(data, at + 32, 2),
                let place = word(data, at + 42, 4), at + 46 + names <= data.count
            else { throw broken(name) }
            guard flags & 1 == 0, method == 0 || method == 8, size < 0xffff_ffff, packed < 0xffff_ffff else {
                throw BundleError("\(name) is of a kind of .zip that is not read (encrypted, of 4 GB, or unusual).")
            }
            let start = data.startIndex + at + 46
            entries.append(
                Entry(
                    name: String(decoding: data[start..<start + names], as: UTF8.self), size: size, packed: packed,
                    isDeflated: method == 8, at: place))
            at += 46 + names + extra + comment
        }
        return entries
    }

    private static func broken(_ name: String) -> BundleError {
        BundleError("\(name) is no whole archive; download it again.")
    }
}

/// A number of so many bytes, the lowest first; nil beyond the end.
private func word(_ data: Data, _ at: Int, _ bytes: Int) -> Int? {
    guard at >= 0, at + bytes <= data.count else { return nil }
    return (0..<bytes).reduce(0) { $0 | Int(data[data.startIndex + at + $1]) << (8 * $1) }
}
