import Combine
@preconcurrency import CoreGraphics
import Edgebundle
import Foundation

/// What the first screen shows: a picture, what a variant of the bundle makes of it, how long it took, and the phone's
/// thermal state.
@MainActor
final class Studio: ObservableObject {
    @Published private(set) var before: CGImage?
    @Published private(set) var after: CGImage?
    @Published private(set) var labels: [ScoredLabel] = []
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
    /// One open at a time, whoever waits for it.
    private var opening: (choice: String?, model: Task<ImageModel, any Error>)?
    private var work: Task<Void, Never>?

    /// Shows the picture that was kept, else the bundle's own test picture.
    func start() async {
        do {
            let loader = try ImageModel.loader(engines: Engines.all)
            variants = loader.variants.map(\.id)
            if before == nil { before = try KeptPicture.read() ?? Self.testPicture(loader) }
            render()
        } catch {
            message = error.localizedDescription
        }
    }

    /// Shows a picture as it came from a file, upright, and keeps it until another one is chosen.
    func show(_ data: Data) {
        do {
            before = try KeptPicture.upright(data)
            try KeptPicture.keep(data)
        } catch {
            message = error.localizedDescription
        }
        render()
    }

    /// Says why a picture could not be had.
    func tell(_ error: any Error) { message = error.localizedDescription }

    /// Renders the present picture anew; what is being rendered is cancelled.
    func render() {
        guard let picture = before else { return }
        work?.cancel()
        let (strength, whole, chosen) = (strength, whole, chosen)
        work = Task {
            do {
                let model = try await model(chosen)
                let start = ContinuousClock.now
                if model.output == nil {
                    (after, labels) = (picture, try await model.classify(picture))
                } else if whole {
                    after = try await model.processLarge(picture, strength: strength) { [weak self] done, tiles in
                        Task { @MainActor in self?.progress = done == tiles ? nil : Double(done) / Double(tiles) }
                    }
                } else {
                    after = try await model.process(picture, strength: strength)
                }
                let elapsed = start.duration(to: .now).components
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

    private func model(_ choice: String?) async throws -> ImageModel {
        if let opening, opening.choice == choice { return try await opening.model.value }
        opening?.model.cancel()
        let model = Task { try await ImageModel.open(variant: choice, engines: Engines.all) }
        opening = (choice, model)
        do {
            return try await model.value
        } catch {
            if opening?.choice == choice { opening = nil }
            throw error
        }
    }

    private static func testPicture(_ loader: ModelLoader) throws -> CGImage? {
        guard let stored = loader.manifest.goldens.first?.inputs.first(where: \.isPicture),
            let spec = loader.manifest.inputs.first(where: { $0.name == stored.name })
        else { return nil }
        return try PictureIO.image(try loader.goldens.picture(stored, spec))
    }
}
