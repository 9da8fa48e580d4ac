/// Summary of a sample of durations.
public struct Statistics: Sendable {
    private let sorted: [UInt64]

    public init(_ samples: [UInt64]) {
        precondition(!samples.isEmpty, "statistics need at least one sample")
        sorted = samples.sorted()
    }

    public var min: UInt64 { sorted[0] }
    public var max: UInt64 { sorted[sorted.count - 1] }
    public var mean: Double { sorted.reduce(0.0) { $0 + Double($1) } / Double(sorted.count) }
    public var median: Double { quantile(0.5) }

    /// Quantile `q` in 0..1, interpolated linearly between the two nearest samples (Hyndman and Fan's type 7).
    public func quantile(_ q: Double) -> Double {
        precondition((0...1).contains(q), "a quantile is between 0 and 1, not \(q)")
        let at = q * Double(sorted.count - 1)
        let below = Double(sorted[Int(at.rounded(.down))])
        let above = Double(sorted[Int(at.rounded(.up))])
        return below + (above - below) * (at - at.rounded(.down))
    }
}
