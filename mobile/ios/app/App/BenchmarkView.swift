import Edgebundle
import SwiftUI

/// Measures every variant on a press and lists what came out; the records are kept in the app's Documents folder.
struct BenchmarkView: View {
    @EnvironmentObject private var foreground: Foreground
    @State private var outcomes: [BenchmarkRunner.Outcome] = []
    @State private var message: String?
    @State private var work: Task<Void, Never>?

    var body: some View {
        List {
            if let simulated = DeviceState.simulated { Text(verbatim: simulated) }
            ForEach(outcomes) { outcome in
                VStack(alignment: .leading, spacing: 4) {
                    Text(verbatim: outcome.variant)
                    Text("outcome \(String(format: "%.2f", outcome.medianMs)) \(String(format: "%.2f", outcome.p90Ms))")
                    Text(verbatim: "\(outcome.delegate) · \(outcome.verdict)").font(.caption)
                }
            }
            if let message { Text(verbatim: message) }
            if let file = outcomes.last?.file { ShareLink(item: file) }
            if work == nil { Button("measure") { measure() } } else { ProgressView("measuring") }
        }
        .navigationTitle("benchmark")
        .onDisappear { work?.cancel() }
    }

    private func measure() {
        outcomes = []
        message = nil
        work = Task {
            UIApplication.shared.isIdleTimerDisabled = true  // a screen that goes off slows the phone down
            do {
                let request = BenchmarkRequest(protocolName: "quick", device: "local")
                try await BenchmarkRunner(engines: Engines.all).run(
                    request, hidden: { foreground.left }, done: { outcomes.append($0) })
            } catch is CancellationError {
                message = nil
            } catch {
                message = error.localizedDescription
            }
            UIApplication.shared.isIdleTimerDisabled = false
            work = nil
        }
    }
}
