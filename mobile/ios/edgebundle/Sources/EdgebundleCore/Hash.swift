import Foundation

/// SHA-256 (FIPS 180-4) as lower-case hexadecimal: the same code on every system, so that it is tested where it is built.
public func sha256(_ data: Data) -> String {
    var hash = Sha256()
    hash.update(data)
    return hash.hexadecimal()
}

/// Hash of a file; of a directory, the hash over lines `sha256  relative/path` in sorted order, as builder/bundle/files.py makes it.
/// Throws `BundleError` when something cannot be read.
public func treeSha256(_ url: URL) throws -> String {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory) else {
        throw BundleError("\(url.lastPathComponent) is missing in the app's bundle; make the app with 'builder package'.")
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
        throw BundleError("\(url.lastPathComponent) cannot be read (\(error.localizedDescription)); install the app again.")
    }
}

private struct Sha256 {
    private var state: [UInt32] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19]
    private var rest = Data()
    private var length: UInt64 = 0

    mutating func update(_ data: Data) {
        length += UInt64(data.count)
        rest = data
        let whole = data.count / 64 * 64
        data.withUnsafeBytes { bytes in
            var words = [UInt32](repeating: 0, count: 64)
            for start in stride(from: 0, to: whole, by: 64) { block(bytes.baseAddress! + start, &words) }
        }
        rest = Data(data.suffix(data.count - whole))
    }

    mutating func hexadecimal() -> String {
        var last = rest
        last.append(0x80)
        while last.count % 64 != 56 { last.append(0) }
        withUnsafeBytes(of: (length * 8).bigEndian) { last.append(contentsOf: $0) }
        last.withUnsafeBytes { bytes in
            var words = [UInt32](repeating: 0, count: 64)
            for start in stride(from: 0, to: bytes.count, by: 64) { block(bytes.baseAddress! + start, &words) }
        }
        return state.map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 8 - text.count) + text
        }.joined()
    }

    private mutating func block(_ bytes: UnsafeRawPointer, _ buffer: inout [UInt32]) {
        buffer.withUnsafeMutableBufferPointer { words in
            for i in 0..<16 { words[i] = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self)) }
            for i in 16..<64 {
                let first = rotated(words[i - 15], 7) ^ rotated(words[i - 15], 18) ^ (words[i - 15] &>> 3)
                let second = rotated(words[i - 2], 17) ^ rotated(words[i - 2], 19) ^ (words[i - 2] &>> 10)
                words[i] = words[i - 16] &+ first &+ words[i - 7] &+ second
            }
            var (a, b, c, d, e, f, g, h) = (state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7])
            roundConstants.withUnsafeBufferPointer { constants in
                for i in 0..<64 {
                    let sum1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)
                    let first = h &+ sum1 &+ ((e & f) ^ (~e & g)) &+ constants[i] &+ words[i]
                    let sum0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)
                    let second = sum0 &+ ((a & b) ^ (a & c) ^ (b & c))
                    (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
                }
            }
            state = zip(state, [a, b, c, d, e, f, g, h]).map { $0 &+ $1 }
        }
    }
}

@inline(__always)
private func rotated(_ word: UInt32, _ bits: UInt32) -> UInt32 { word &>> bits | word &<< (32 - bits) }

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
