/// Whole numbers in memory of their own, for loops that call nothing in debug builds (docs/ios.md, "Debug builds").
final class Words {
    let at: UnsafeMutablePointer<Int>
    let count: Int

    init(_ count: Int) {
        self.count = count
        at = .allocate(capacity: count)
        at.initialize(repeating: 0, count: count)
    }

    deinit { at.deallocate() }

    func copy(_ other: Words) { at.update(from: other.at, count: count) }
    func clear() { at.update(repeating: 0, count: count) }
}

/// A small number as an index, without the generic conversion, which is a call in debug builds: all systems here have
/// 64 bits and are little-endian.
@_transparent
func index(_ word: UInt32) -> Int { unsafeBitCast((word, 0 as UInt32), to: Int.self) }

/// The lower half of a number, likewise.
@_transparent
func word(_ number: Int) -> UInt32 { unsafeBitCast(number, to: (UInt32, UInt32).self).0 }

/// A number between 0 and `most`.
@_transparent
func within(_ value: Int, _ most: Int) -> Int { value < 0 ? 0 : value > most ? most : value }
