/// Mixtures of pictures, pixel by pixel in 8-bit arithmetic; results are opaque.
public enum Blend {
    public static let one: UInt32 = 256

    /// A strength 0..1 as the integer weight that `mix` takes. Throws `BundleError` for another number.
    public static func weight(_ strength: Float) throws -> UInt32 {
        guard (0...1).contains(strength) else { throw BundleError("a strength is between 0 and 1, not \(strength).") }
        return UInt32(strength * Float(one) + 0.5)
    }

    /// One pixel: weight 0 gives `base`, 256 gives `over`. Two channels are computed in one word.
    @_transparent  // see docs/ios.md, "Debug builds"
    public static func pixel(_ base: UInt32, _ over: UInt32, _ weight: UInt32) -> UInt32 {
        let rest = 256 &- weight
        let odd = ((base & 0xff00ff) &* rest &+ (over & 0xff00ff) &* weight &+ 0x800080) &>> 8 & 0xff00ff
        // in parentheses: Swift's `&` binds as tightly as `*`
        let even = (((base & 0xff00) &>> 8) &* rest &+ ((over & 0xff00) &>> 8) &* weight &+ 0x80) & 0xff00
        return 0xff00_0000 | odd | even
    }

    /// `over` at `weight` onto `base`, in place. Both have the same size.
    public static func mix(_ base: [UInt32], _ weight: UInt32, into over: inout [UInt32]) {
        precondition(base.count == over.count, "pictures of \(base.count) and \(over.count) pixels cannot be mixed")
        base.withUnsafeBufferPointer { base in
            over.withUnsafeMutableBufferPointer { over in
                guard let base = base.baseAddress, let target = over.baseAddress else { return }
                var at = 0
                while at < over.count {
                    target[at] = pixel(base[at], target[at], weight)
                    at &+= 1
                }
            }
        }
    }
}
