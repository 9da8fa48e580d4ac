/// Composes pixels that are premultiplied, as Core Graphics draws them, on white, in place: `c * a` is there already, so that each
/// channel becomes `c + 255 - a` (docs/sdk-rules.md, "Transparent pictures"). The result is opaque.
public func composeOnWhite(_ argb: inout [UInt32]) {
    for i in argb.indices {
        let pixel = argb[i]
        // 255 - a in each channel; a premultiplied channel is never above a, so that nothing is carried over
        let rest = (255 &- pixel &>> 24) &* 0x01_0101
        argb[i] = 0xff00_0000 | ((pixel & 0xff_ffff) &+ rest)
    }
}
