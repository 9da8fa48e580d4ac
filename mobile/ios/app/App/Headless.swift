import Edgebundle
import Foundation
import SwiftUI
import UIKit

/// A run that a computer asked for by launch arguments: measures, tells the end by one line on stdout, and ends the
/// process.
struct HeadlessView: View {
    let request: BenchmarkRequest
    @EnvironmentObject private var foreground: Foreground

    var body: some View {
        ProgressView("measuring").task {
            UIApplication.shared.isIdleTimerDisabled = true
            do {
                if request.asksForConditions {
                    try await BenchmarkRunner.tellConditions(request)
                } else {
                    try await BenchmarkRunner(engines: Engines.all).run(
                        request, hidden: { foreground.left },
                        done: { Headless.say(["variant": $0.variant, "verdict": $0.verdict]) })
                }
                Headless.end(with: nil)
            } catch {
                Headless.end(with: error)
            }
        }
    }
}

/// Lines on stdout for whoever started the app: `EDGEBUNDLE_RUN` and one JSON object; the last one has `end`.
enum Headless {
    static let tag = "EDGEBUNDLE_RUN"

    static func say(_ fields: [String: String]) {
        let data = (try? JSONSerialization.data(withJSONObject: fields, options: .sortedKeys)) ?? Data("{}".utf8)
        print("\(tag) \(String(decoding: data, as: UTF8.self))")
        fflush(nil)
    }

    static func end(with error: (any Error)?) -> Never {
        say(error.map { ["end": "failed", "error": $0.localizedDescription] } ?? ["end": "done"])
        exit(error == nil ? 0 : 1)
    }
}
