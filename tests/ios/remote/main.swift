// The last resort, asked by tests/ios/test_remote_model.py: `remote ADDRESS PICTURE MODE`; a line for each thing that
// happens.
import Foundation

let words = CommandLine.arguments
let (address, picture, mode) = (words[1], URL(fileURLWithPath: words[2]), words[3])
let limits = RemoteLimits(
    answerSeconds: mode == "slow" ? 1 : 30, mostBytes: mode == "large" ? 10 : 1 << 20,
    mostAnswerBytes: mode == "long" ? 10_000 : 1 << 20)

do {
    let model = try await RemoteModel.open(address, reason: "no variant works.", modelName: "small", limits: limits) {
        print("asked: \($0.to) \($0.reason)")
        return mode != "no"
    }
    print("size: \(model.facts.width) x \(model.facts.height)")
    let vectors: [String: [Float]] = mode == "vectors" ? ["style": [1, 0.5]] : [:]
    let answer = try await model.process(try Data(contentsOf: picture), vectors: vectors)
    try answer.png.write(to: picture.deletingLastPathComponent().appendingPathComponent("made.png"))
    print("sent: \(answer.sent)")
    let record = await model.record
    print("record: \(record == [answer.sent])")
} catch {
    print("refused: \((error as? BundleError)?.message ?? "\(error)")")
}
