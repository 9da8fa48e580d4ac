import CoreGraphics
import Edgebundle
import ImageIO
import PhotosUI
import SwiftUI

/// Pick a photo, see it before and after, change variant and strength.
struct StudioView: View {
    @EnvironmentObject private var studio: Studio
    @State private var picked: PhotosPickerItem?

    var body: some View {
        NavigationStack {
            VStack(spacing: 16) {
                CompareView(before: studio.before, after: studio.after)
                StatusLine()
                Controls()
                HStack {
                    PhotosPicker(selection: $picked, matching: .images) { Label("pick_photo", systemImage: "photo") }
                    Spacer()
                    NavigationLink("benchmark") { BenchmarkView() }
                }
            }
            .padding()
            .navigationTitle("title")
        }
        .task { await studio.start() }
        .task {
            while !Task.isCancelled {
                studio.readHeat()
                try? await Task.sleep(for: .seconds(1))
            }
        }
        .onChange(of: picked) { item in
            Task { await load(item) }
        }
    }

    private func load(_ item: PhotosPickerItem?) async {
        guard let data = try? await item?.loadTransferable(type: Data.self), let picture = Self.upright(data) else { return }
        studio.show(picture)
    }

    /// The photo turned as its EXIF says, at most 4096 pixels wide or high.
    private static func upright(_ data: Data) -> CGImage? {
        guard let source = CGImageSourceCreateWithData(data as CFData, nil) else { return nil }
        let options: [CFString: Any] = [
            kCGImageSourceCreateThumbnailFromImageAlways: true, kCGImageSourceCreateThumbnailWithTransform: true, kCGImageSourceThumbnailMaxPixelSize: 4096,
        ]
        return CGImageSourceCreateThumbnailAtIndex(source, 0, options as CFDictionary)
    }
}

/// Variant, strength, and whether the picture is rendered whole, in tiles.
private struct Controls: View {
    @EnvironmentObject private var studio: Studio

    var body: some View {
        VStack(spacing: 8) {
            Picker("variant", selection: $studio.chosen) {
                Text("automatic").tag(String?.none)
                ForEach(studio.variants, id: \.self) { Text(verbatim: $0).tag(String?.some($0)) }
            }
            Slider(value: $studio.strength, in: 0...1) { Text("strength") }
            Toggle("whole_picture", isOn: $studio.whole)
        }
        .onChange(of: studio.chosen) { _ in studio.render() }
        .onChange(of: studio.strength) { _ in studio.render() }
        .onChange(of: studio.whole) { _ in studio.render() }
    }
}

/// Latency, thermal state and what is to be said.
private struct StatusLine: View {
    @EnvironmentObject private var studio: Studio

    var body: some View {
        VStack(spacing: 4) {
            if let progress = studio.progress { ProgressView(value: progress) }
            Text(verbatim: studio.opened).font(.caption)
            HStack {
                if let milliseconds = studio.milliseconds { Text("latency \(String(format: "%.1f", milliseconds))") }
                Spacer()
                Text(heatKey)
            }
            if let simulated = DeviceState.simulated { Text(verbatim: simulated).font(.caption) }
            if let message = studio.message { Text(verbatim: message).font(.caption) }
        }
    }

    private var heatKey: LocalizedStringKey {
        switch studio.heat {
        case .nominal: return "heat_nominal"
        case .fair: return "heat_fair"
        case .serious: return "heat_serious"
        case .critical: return "heat_critical"
        }
    }
}
