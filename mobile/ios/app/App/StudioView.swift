import Edgebundle
import PhotosUI
import SwiftUI

/// Pick a photo, see it before and after, change variant and strength. What was chosen is there again after the app was
/// ended.
struct StudioView: View {
    @EnvironmentObject private var studio: Studio
    @SceneStorage("variant") private var variant = ""
    @SceneStorage("strength") private var strength = 1.0
    @SceneStorage("whole") private var whole = false
    @State private var picked: PhotosPickerItem?

    var body: some View {
        NavigationStack {
            ScrollView {
                VStack(spacing: 16) {
                    // large fonts on a small phone take the screen: the picture keeps its height, and the rest scrolls
                    CompareView(before: studio.before, after: studio.after).frame(height: 320)
                    ForEach(studio.labels, id: \.name) {
                        Text(verbatim: "\($0.name) · \(String(format: "%.3f", $0.score))")
                    }
                    StatusLine()
                    Controls()
                    PhotosPicker(selection: $picked, matching: .images) { Label("pick_photo", systemImage: "photo") }
                    NavigationLink("benchmark") { BenchmarkView() }
                }
                .padding()
            }
            .navigationTitle(Text(verbatim: Self.appName))
        }
        .task {
            (studio.chosen, studio.strength, studio.whole) = (variant.isEmpty ? nil : variant, Float(strength), whole)
            await studio.start()
            if let chosen = studio.chosen, !studio.variants.contains(chosen) { studio.chosen = nil }
        }
        .task {
            while !Task.isCancelled {
                studio.readHeat()
                try? await Task.sleep(for: .seconds(1))
            }
        }
        .onChange(of: picked) { item in
            Task { await load(item) }
        }
        .onChange(of: studio.chosen) { variant = $0 ?? "" }
        .onChange(of: studio.strength) { strength = Double($0) }
        .onChange(of: studio.whole) { whole = $0 }
    }

    /// The name under the app's icon: the model's.
    private static var appName: String { Bundle.main.infoDictionary?["CFBundleDisplayName"] as? String ?? "Edgebundle" }

    private func load(_ item: PhotosPickerItem?) async {
        do {
            if let data = try await item?.loadTransferable(type: Data.self) { studio.show(data) }
        } catch {
            studio.tell(error)
        }
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
            Slider(value: $studio.strength, in: 0...1) {
                Text("strength")
            } onEditingChanged: { isMoving in
                if !isMoving { studio.render() }
            }
            Toggle("whole_picture", isOn: $studio.whole)
        }
        .onChange(of: studio.chosen) { _ in studio.render() }
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
