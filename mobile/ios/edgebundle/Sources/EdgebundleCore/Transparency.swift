/// Composes pixels that are premultiplied, as Core Graphics draws them, on white, in place: `c * a` is there already,
/// so that each channel becomes `c + 255 - a` (docs/sdk-rules.md, "Transparent pictures"). The result is opaque.
public func composeOnWhite(_ argb: inout [UInt32]) {
    argb.withUnsafeMutableBufferPointer { argb in
        guard let pixels = argb.baseAddress else { return }
        var i = 0
        while i < argb.count {
            let pixel = pixels[i]
            if pixel < 0xff00_0000 {
                let white = 255 &- pixel &>> 24
                // a channel above its alpha cannot be, but must not run into its neighbour
                let red = lower((pixel &>> 16 & 0xff) &+ white)
                let green = lower((pixel &>> 8 & 0xff) &+ white)
                let blue = lower((pixel & 0xff) &+ white)
                pixels[i] = 0xff00_0000 | red &<< 16 | green &<< 8 | blue
            }
            i &+= 1
        }
    }
}

@_transparent
private func lower(_ level: UInt32) -> UInt32 { level > 255 ? 255 : level }
