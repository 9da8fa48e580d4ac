/// What a classifier says: a label, and its score in the range of the network's own output (often 0..1, or logits).
public struct ScoredLabel: Sendable, Equatable {
    public let name: String
    public let score: Float

    public init(name: String, score: Float) {
        (self.name, self.score) = (name, score)
    }
}

/// The `most` labels with the highest values, best first; equal ones in the network's order, what is no number last. A
/// class without a name is called by its number.
public func labels(of values: [Float], names: [String], most: Int) -> [ScoredLabel] {
    func score(_ at: Int) -> Float { values[at].isNaN ? -.infinity : values[at] }
    // `sort` alone promises no stability
    let best = values.indices.sorted { (score($0), $1) > (score($1), $0) }.prefix(max(0, most))
    return best.map { ScoredLabel(name: $0 < names.count ? names[$0] : String($0), score: values[$0]) }
}
