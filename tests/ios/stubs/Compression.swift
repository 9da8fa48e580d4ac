import Foundation

public enum FilterOperation { case compress, decompress }
public enum Algorithm: Sendable { case lzfse, zlib, lz4, lzma }
/// Plays nothing: the archives of these tests are stored.
public final class InputFilter {
    public init(
        _ operation: FilterOperation, using algorithm: Algorithm, readingFrom read: @escaping (Int) throws -> Data?
    ) throws {}
    public func readData(ofLength count: Int) throws -> Data? { fatalError() }
}
