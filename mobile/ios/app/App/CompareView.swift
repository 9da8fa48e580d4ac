import CoreGraphics
import SwiftUI

/// Two pictures of one scene, the left part of the first and the right part of the second, with a border that follows
/// the finger.
struct CompareView: View {
    let before: CGImage?
    let after: CGImage?
    @State private var share = 0.5

    var body: some View {
        GeometryReader { place in
            ZStack(alignment: .leading) {
                picture(after, place.size)
                picture(before, place.size)
                    .mask(alignment: .leading) { Rectangle().frame(width: place.size.width * share) }
                Rectangle().frame(width: 2).offset(x: place.size.width * share)
            }
            .gesture(
                DragGesture(minimumDistance: 0).onChanged {
                    share = min(1, max(0, $0.location.x / max(1, place.size.width)))
                })
        }
        .accessibilityLabel(Text("compare"))
        .accessibilityValue(Text(verbatim: "\(Int(share * 100)) %"))
        .accessibilityAdjustableAction { share = min(1, max(0, share + ($0 == .increment ? 0.1 : -0.1))) }
    }

    @ViewBuilder
    private func picture(_ image: CGImage?, _ size: CGSize) -> some View {
        if let image {
            Image(decorative: image, scale: 1).resizable().aspectRatio(contentMode: .fit).frame(
                width: size.width, height: size.height)
        }
    }
}
