import Foundation

/// The PSNR that stands for "equal", as in builder/bundle/tensors.py.
public let equalDb = 200.0

/// 10 log10(peak^2 / mean squared error) in dB; `equalDb` for equal arrays, `-equalDb` where `actual` is not finite.
public func psnrDb(_ actual: [Float], _ expected: [Float], peak: Double) -> Double {
    var sum = 0.0
    for i in expected.indices {
        let difference = Double(actual[i]) - Double(expected[i])
        sum += difference * difference
    }
    let error = sum / Double(expected.count)
    if !error.isFinite { return -equalDb }
    if error == 0 { return equalDb }
    return peak == 0 ? -equalDb : min(equalDb, 10 * log10(peak * peak / error))
}

/// Largest absolute difference; infinite where `actual` is not finite.
public func maxAbsError(_ actual: [Float], _ expected: [Float]) -> Double {
    expected.indices.map { i in
        let difference = abs(Double(actual[i]) - Double(expected[i]))
        return difference.isNaN ? Double.infinity : difference
    }.max() ?? 0
}

/// Peak for PSNR: the width of an image's declared range; for other tensors the expected values' own range.
public func peak(of spec: TensorSpec, _ expected: [Float]) -> Double {
    if spec.isImage, let range = spec.range { return range[1] - range[0] }
    return Double(expected.max() ?? 0) - Double(expected.min() ?? 0)
}
