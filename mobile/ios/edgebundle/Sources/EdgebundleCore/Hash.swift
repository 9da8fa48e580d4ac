import Foundation

/// SHA-256 (FIPS 180-4) as lower-case hexadecimal: the same code on every system, so that it is tested where it is
/// built.
public func sha256(_ data: Data) -> String {
    var hash = Sha256()
    hash.update(data)
    return hash.hexadecimal()
}

/// Hash of a file; of a directory, the hash over lines `sha256  relative/path` in sorted order, as
/// builder/bundle/files.py makes it. Throws `BundleError` when something cannot be read.
public func treeSha256(_ url: URL) throws -> String {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory) else {
        throw BundleError(
            "\(url.lastPathComponent) is missing in the app's bundle; make the app with 'builder package'.")
    }
    if !isDirectory.boolValue { return try fileSha256(url) }
    guard let names = FileManager.default.enumerator(atPath: url.path) else {
        throw BundleError("\(url.lastPathComponent) cannot be read; install the app again.")
    }
    var files: [String] = []
    for case let name as String in names {
        var isFolder: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: url.appendingPathComponent(name).path, isDirectory: &isFolder)
        if !isFolder.boolValue { files.append(name) }
    }
    files.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let lines = try files.map { "\(try fileSha256(url.appendingPathComponent($0)))  \($0)\n" }
    return sha256(Data(lines.joined().utf8))
}

private func fileSha256(_ url: URL) throws -> String {
    do {
        return sha256(try Data(contentsOf: url, options: .mappedIfSafe))
    } catch {
        throw BundleError(
            "\(url.lastPathComponent) cannot be read (\(error.localizedDescription)); install the app again.")
    }
}

private struct Sha256 {
    private var state: [UInt32] = [
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    private var rest = Data()
    private var length: UInt64 = 0

    mutating func update(_ data: Data) {
        length += UInt64(data.count)
        let whole = data.count / 64 * 64
        blocks(data, whole / 64)
        rest = Data(data.suffix(data.count - whole))
    }

    mutating func hexadecimal() -> String {
        var last = rest
        last.append(0x80)
        while last.count % 64 != 56 { last.append(0) }
        withUnsafeBytes(of: (length * 8).bigEndian) { last.append(contentsOf: $0) }
        blocks(last, last.count / 64)
        return state.map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 8 - text.count) + text
        }.joined()
    }

    private mutating func blocks(_ data: Data, _ count: Int) {
        if count == 0 { return }
        var words = [UInt32](repeating: 0, count: 64)
        data.withUnsafeBytes { bytes in
            words.withUnsafeMutableBufferPointer { words in
                roundConstants.withUnsafeBufferPointer { constants in
                    state.withUnsafeMutableBufferPointer { state in
                        mix(bytes.baseAddress!, count, words.baseAddress!, constants.baseAddress!, state.baseAddress!)
                    }
                }
            }
        }
    }
}

/// Mixes `count` blocks of 64 bytes into `state`; `words` is room for 64. Pointers and `while`, for debug builds.
private func mix(
    _ bytes: UnsafeRawPointer, _ count: Int, _ words: UnsafeMutablePointer<UInt32>, _ constants: UnsafePointer<UInt32>,
    _ state: UnsafeMutablePointer<UInt32>
) {
    var (block, i) = (bytes, 0)
    let end = bytes + 64 * count
    while block < end {
        memcpy(words, block, 64)
        i = 0
        while i < 16 {
            words[i] = swapped(words[i])
            i &+= 1
        }
        while i < 64 {
            let (far, near) = (words[i &- 15], words[i &- 2])
            let first = rotated(far, 7) ^ rotated(far, 18) ^ (far &>> 3)
            let second = rotated(near, 17) ^ rotated(near, 19) ^ (near &>> 10)
            words[i] = words[i &- 16] &+ first &+ words[i &- 7] &+ second
            i &+= 1
        }
        var (a, b, c, d, e, f, g, h) = (state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7])
        i = 0
        while i < 64 {
            let sum1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
            let first = h &+ sum1 &+ ((e & f) ^ (~e & g)) &+ constants[i] &+ words[i]
            let sum0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
            let second = sum0 &+ ((a & b) ^ (a & c) ^ (b & c))
            h = g
            g = f
            f = e
            e = d &+ first
            d = c
            c = b
            b = a
            a = first &+ second
            i &+= 1
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
        state[5] &+= f
        state[6] &+= g
        state[7] &+= h
        block += 64
    }
}

/// A big-endian word: all systems of Swift that have a camera are little-endian.
@_transparent
private func swapped(_ word: UInt32) -> UInt32 {
    word &>> 24 | word &>> 8 & 0xff00 | word &<< 8 & 0xff_0000 | word &<< 24
}

@_transparent
private func rotated(_ word: UInt32, _ bits: UInt32) -> UInt32 { word &>> bits | word &<< (32 &- bits) }

/// Fractional parts of the cube roots of the first 64 primes, computed rather than listed.
private let roundConstants: [UInt32] = {
    var primes: [Int] = []
    var candidate = 2
    while primes.count < 64 {
        if !primes.contains(where: { candidate % $0 == 0 }) { primes.append(candidate) }
        candidate += 1
    }
    return primes.map { cubeRootFraction($0) }
}()

/// floor(frac(cbrt(n)) * 2^32) by integers: the largest x with x^3 <= n * 2^96, modulo 2^32, found bit by bit.
private func cubeRootFraction(_ n: Int) -> UInt32 {
    // x < 8 * 2^32 for the first 64 primes (311 < 512); products are kept exact in 64-bit halves
    var root: UInt64 = 0
    for bit in stride(from: 35, through: 0, by: -1) {
        let candidate = root | 1 << UInt64(bit)
        if isCubeAtMost(candidate, n) { root = candidate }
    }
    return UInt32(truncatingIfNeeded: root)
}

private func isCubeAtMost(_ x: UInt64, _ n: Int) -> Bool {
    let square = x.multipliedFullWidth(by: x)
    let low = square.low.multipliedFullWidth(by: x)
    let (highProduct, overflow) = square.high.multipliedReportingOverflow(by: x)
    if overflow { return false }
    let (high, carry) = highProduct.addingReportingOverflow(low.high)
    if carry { return false }
    // n * 2^96 has the high word n * 2^32 and the low word 0
    let limit = UInt64(n) << 32
    return high < limit || (high == limit && low.low == 0)
}
