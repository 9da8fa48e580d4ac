import Combine
@preconcurrency import CoreGraphics
import Edgebundle
import Foundation

/// What the first screen shows: a picture, what a variant of the bundle makes of it, how long it took, and the phone's thermal state.
@MainActor
final class Studio: ObservableObject {
    @Published private(set) var before: CGImage?
    @Published private(set) var after: CGImage?
    @Published private(set) var variants: [String] = []
    @Published private(set) var milliseconds: Double?
    @Published private(set) var opened = ""
    @Published private(set) var heat = Heat.nominal
    @Published private(set) var message: String?
    @Published private(set) var progress: Double?
    /// `nil` is the variant that suits the phone.
    @Published var chosen: String?
    @Published var strength: Float = 1
    @Published var whole = false
    private var model: StyleModel?
    private var modelChoice: String?
    private var work: Task<Void, Never>?

    /// Shows the bundle's own test picture first.
    func start() async {
        do {
            let loader = try StyleModel.loader(engines: Engines.all)
            variants = loader.variants.map(\.id)
            if before == nil, let stored = loader.manifest.goldens.first?.inputs.first(where: \.isPicture) {
                before = try PictureIO.image(try loader.goldens.picture(stored))
            }
            render()
        } catch {
            message = error.localizedDescription
        }
    }

    func show(_ picture: CGImage) {
        before = picture
        render()
    }

    /// Renders the present picture anew; what is being rendered is cancelled.
    func render() {
        guard let picture = before else { return }
        work?.cancel()
        let (strength, whole, chosen) = (strength, whole, chosen)
        work = Task {
            do {
                let model = try await model(chosen)
                let start = ContinuousClock.now
                let styled: CGImage
                if whole {
                    styled = try await model.stylizeLarge(picture, strength: strength) { [weak self] done, tiles in
                        Task { @MainActor in self?.progress = done == tiles ? nil : Double(done) / Double(tiles) }
                    }
                } else {
                    styled = try await model.stylize(picture, strength: strength)
                }
                let elapsed = start.duration(to: .now).components
                after = styled
                milliseconds = Double(elapsed.seconds) * 1e3 + Double(elapsed.attoseconds) / 1e15
                opened = "\(model.variant) · \(model.delegate)"
                message = model.messages.isEmpty ? nil : model.messages.joined(separator: "\n")
            } catch is CancellationError {
                return  // a newer picture is being rendered
            } catch {
                message = error.localizedDescription
            }
        }
    }

    func readHeat() { heat = DeviceState.heat() }

    private func model(_ chosen: String?) async throws -> StyleModel {
        if let model, modelChoice == chosen { return model }
        let opened = try await StyleModel.open(variant: chosen, engines: Engines.all)
        (model, modelChoice) = (opened, chosen)
        return opened
    }
}
