import Edgebundle
import SwiftUI

/// The sample and benchmark app. Started with `-edgebundle-run PROTOCOL` it measures at once and ends.
@main
struct EdgebundleApp: App {
    @StateObject private var foreground = Foreground()
    @StateObject private var studio = Studio()

    var body: some Scene {
        WindowGroup {
            RootView()
                .environmentObject(foreground)
                .environmentObject(studio)
        }
    }
}

/// The sample's screens, or the screen of a run that a computer asked for.
struct RootView: View {
    @EnvironmentObject private var foreground: Foreground
    private let request = Result { try BenchmarkRequest.from(ProcessInfo.processInfo.arguments, device: "local") }

    var body: some View {
        switch request {
        case .success(nil): StudioView()
        case .success(let request?): HeadlessView(request: request)
        case .failure(let error): Text(verbatim: error.localizedDescription).task { Headless.end(with: error) }
        }
    }
}
