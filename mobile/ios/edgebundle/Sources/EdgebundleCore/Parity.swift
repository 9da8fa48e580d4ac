import Foundation

/// The PSNR that stands for "equal", as in builder/bundle/tensors.py.
public let equalDb = 200.0

/// 10 log10(peak^2 / mean squared error) in dB; `equalDb` for equal arrays, `-equalDb` where `actual` is not finite.
public func psnrDb(_ actual: [Float], _ expected: [Float], peak: Double) -> Double {
    let error = errors(actual, expected).squares / Double(expected.count)
    if !error.isFinite { return -equalDb }
    if error == 0 { return equalDb }
    return peak == 0 ? -equalDb : min(equalDb, 10 * log10(peak * peak / error))
}

/// Largest absolute difference; infinite where `actual` is not finite.
public func maxAbsError(_ actual: [Float], _ expected: [Float]) -> Double { errors(actual, expected).largest }

/// Peak for PSNR: the width of an image's declared range; for other tensors the expected values' own range, or the size
/// of a single value.
public func peak(of spec: TensorSpec, _ expected: [Float]) -> Double {
    if spec.isImage, let range = spec.range { return range[1] - range[0] }
    let (low, high) = (Double(expected.min() ?? 0), Double(expected.max() ?? 0))
    return low == high ? abs(high) : high - low
}

private func errors(_ actual: [Float], _ expected: [Float]) -> (squares: Double, largest: Double) {
    precondition(actual.count == expected.count, "\(actual.count) values cannot be compared with \(expected.count)")
    var (squares, largest, i) = (0.0, 0.0, 0)
    actual.withUnsafeBufferPointer { actual in
        expected.withUnsafeBufferPointer { expected in
            guard let actual = actual.baseAddress, let wanted = expected.baseAddress else { return }
            while i < expected.count {
                let difference = Double(actual[i]) - Double(wanted[i])
                squares += difference * difference
                let size = difference < 0 ? -difference : difference
                // what is not a number fails every comparison
                if !(size <= largest) { largest = size == size ? size : Double.infinity }
                i &+= 1
            }
        }
    }
    return (squares, largest)
}
