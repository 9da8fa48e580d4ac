import Foundation
import XCTest

@testable import EdgebundleCore

/// Opening bundles that are right, damaged, opened twice and cancelled.
final class OpeningTests: XCTestCase {
    private func folder() throws -> URL {
        let made = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
        addTeardownBlock { try? FileManager.default.removeItem(at: made) }
        return made
    }

    /// A variant that gives the golden's own output, and fails in one way before that.
    private struct Right: EngineFactory {
        var fault: (any Error)?

        func open(_ variant: Variant, _ artifact: URL) async throws -> sending any Engine {
            if let fault { throw fault }
            let loader = try ModelLoader(root: testData("bundle"), reader: rawReader, engines: [:])
            let wanted = try loader.goldens.picture(
                loader.manifest.goldens[0].expected[0].tensors[0], loader.manifest.outputs[0])
            let codec = try PictureCodec(loader.manifest.outputs[0], variant.outputs[0])
            return FakeEngine { _, outputs in wanted.argb.withUnsafeBufferPointer { codec.encode($0, into: outputs[0]) }
            }
        }
    }

    private func loader(_ root: String = "bundle", _ engine: any EngineFactory = Right()) throws -> ModelLoader {
        try ModelLoader(root: testData(root), reader: rawReader, engines: ["coreml-all": engine])
    }

    /// The first variant whose hash, load and golden are right is taken; the others are told why not, and the error
    /// names each.
    func testTakesTheFirstThatWorks() async throws {
        let good = try loader()
        let session = try await VariantOpener(good).first(good.variants) { XCTFail("\($0)") }
        XCTAssertEqual(session.variant.id, good.variants[0].id)
        let copying = try loader("bundle", FakeEngine.Copying())
        var told: [Tried] = []
        do {
            _ = try await VariantOpener(copying).first(copying.variants) { told.append($0) }
            XCTFail("a network that copies its input cannot pass the golden")
        } catch let error as BundleError {
            XCTAssertEqual(error.tried, told)
            XCTAssertTrue(
                error.message.hasPrefix(
                    "no variant of the bundle works on this device. variant '\(copying.variants[0].id)' is passed over: it fails golden '0'"
                ), error.message)
        }
        XCTAssertEqual(told.map(\.variant), copying.variants.map(\.id))
    }

    /// An engine's error of any kind leads to the next variant; a cancelled task ends the open.
    func testAnyErrorLeadsToTheNextVariant() async throws {
        struct Odd: Error {}
        let odd = try loader("bundle", Right(fault: Odd()))
        do {
            _ = try await VariantOpener(odd).first(odd.variants) { _ in }
            XCTFail("no engine opens")
        } catch let error as BundleError {
            XCTAssertEqual(error.tried.count, odd.variants.count)
        }
        let cancelled = try loader("bundle", Right(fault: CancellationError()))
        do {
            _ = try await VariantOpener(cancelled).first(cancelled.variants) { _ in
                XCTFail("cancelling is no reason to pass a variant over")
            }
            XCTFail("it was cancelled")
        } catch is CancellationError {}
    }

    /// Damaged files of a bundle, each in its way, end an open by a sentence for each variant, and never by a picture.
    func testDamagedBundlesAreRefused() async throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: testData("damages").path).sorted()
        XCTAssertGreaterThan(names.count, 15)
        for name in names {
            do {
                let loader = try loader("damages/\(name)")
                _ = try await VariantOpener(loader).first(loader.variants) { _ in }
                XCTFail("\(name) was opened")
            } catch let error as BundleError {
                XCTAssertTrue(error.message.hasSuffix("."), "\(name): \(error.message)")
            } catch {
                XCTFail("\(name) gives \(error)")
            }
        }
    }

    /// A variant that a golden does not speak of is passed over, and a bundle without goldens is taken with a note.
    func testGoldensMustSpeakOfAVariant() async throws {
        let root = try folder()
        try Data("model".utf8).write(to: root.appendingPathComponent("a"))
        let variants = ["a", "b"].map { variantText(id: $0, file: "a", sha256: sha256(Data("model".utf8))) }
        let golden = #"[{"id": "g", "inputs": [], "expected": [{"variant": "b", "tensors": [], "min_psnr_db": 40}]}]"#
        func loader(_ goldens: String) throws -> ModelLoader {
            try Data(manifestText(variants: variants, goldens: goldens).utf8).write(
                to: root.appendingPathComponent("manifest.json"))
            return try ModelLoader(root: root, reader: rawReader, engines: ["coreml-all": FakeEngine.Copying()])
        }
        let checked = try loader(golden)
        do {
            _ = try await VariantOpener(checked).first(checked.variants) { _ in }
            XCTFail("nothing was checked")
        } catch let error as BundleError {
            XCTAssertTrue(error.tried[0].reason.contains("no golden of the bundle speaks of it"), error.tried[0].reason)
            XCTAssertTrue(
                error.tried[1].reason.contains("golden 'g' cannot be used: it has no input 'image'"),
                error.tried[1].reason)
        }
        let unchecked = try loader("[]")
        let opener = VariantOpener(unchecked)
        let session = try await opener.first(unchecked.variants) { _ in }
        XCTAssertEqual(session.variant.id, "a")
        XCTAssertEqual(opener.notes.count, 1)
    }

    /// A wished variant comes first and is checked like any other; an unknown one is named with those that there are.
    func testAWishedVariantComesFirst() throws {
        let loader = try loader()
        let facts = DeviceFacts(phone: Phone(), freeMemoryBytes: nil, system: 18)
        let last = loader.variants[loader.variants.count - 1].id
        XCTAssertEqual(
            try loader.choose(facts, wished: last).order.map(\.id),
            [last] + loader.variants.map(\.id).filter { $0 != last })
        XCTAssertThrowsError(try loader.choose(facts, wished: "x")) {
            XCTAssertTrue($0.localizedDescription.contains("has no variant 'x'; it has"))
        }
    }

    /// A variant whose loading ended the app is passed over at the next start, until something changes; goldens are
    /// checked once.
    func testRemembersAStartThatDied() async throws {
        let (root, good) = (try folder(), try loader())
        let memory = FileMemory(in: root, same: ["bundle", "1"])
        let first = good.variants[0]
        // a process that dies leaves its mark without its lock
        _ = memory.mark(first)
        XCTAssertEqual(memory.deaths(first), 1)
        var tried: [Tried] = []
        let session = try await VariantOpener(good, memory: memory).first(good.variants) { tried.append($0) }
        XCTAssertEqual(tried.map(\.variant), [first.id])
        XCTAssertTrue(tried[0].reason.contains("the app ended while it was loaded"))
        XCTAssertTrue(memory.hasPassed(session.variant))
        XCTAssertEqual(memory.deaths(session.variant), 0)
        let updated = FileMemory(in: root, same: ["bundle", "2"])
        XCTAssertFalse(updated.deaths(first) > 0 || updated.hasPassed(session.variant))
        // one that lives holds its mark
        let held = updated.mark(first)
        XCTAssertEqual(updated.deaths(first), 0)
        withExtendedLifetime(held) {}
        // what passed is not checked again: a network that copies is taken
        let copying = try loader("bundle", FakeEngine.Copying())
        let again = try await VariantOpener(copying, memory: memory).first([session.variant]) { _ in }
        XCTAssertEqual(again.variant.id, session.variant.id)
    }

    /// A bundle with one variant is not lost when the user ends the app while it is loaded: it is tried again, but not
    /// for ever.
    func testTheOnlyVariantIsTriedAgain() async throws {
        let (good, memory) = (try loader(), FileMemory(in: try folder(), same: []))
        let only = good.variants[0]
        for _ in 0..<2 { _ = memory.mark(only) }
        let session = try await VariantOpener(good, memory: memory).first([only]) { XCTFail("\($0)") }
        XCTAssertEqual(session.variant.id, only.id)
        XCTAssertEqual(memory.deaths(only), 0)
        for _ in 0..<3 { _ = memory.mark(only) }
        do {
            _ = try await VariantOpener(good, memory: memory).first([only]) { _ in }
            XCTFail("three starts in a row died")
        } catch let error as BundleError {
            XCTAssertEqual(error.tried.map(\.variant), [only.id])
        }
    }

    /// Ten tasks that want the same kept file make it once, and all have it; one that fails leaves nothing.
    func testKeptFilesAreMadeOnce() async throws {
        let root = try folder()
        let (kept, told) = (KeptFiles(in: root.appendingPathComponent("kept")), Told())
        let make: @Sendable () async throws -> URL = {
            told.add("made")
            let made = root.appendingPathComponent(UUID().uuidString)
            try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
            try Data("whole".utf8).write(to: made.appendingPathComponent("part"))
            try await Task.sleep(for: .milliseconds(20))
            return made
        }
        do {
            _ = try await kept.url("m") { throw BundleError("full") }
            XCTFail("it cannot be made")
        } catch let error as BundleError { XCTAssertEqual(error.message, "full") }
        try await withThrowingTaskGroup(of: URL.self) { group in
            for _ in 0..<10 { group.addTask { try await kept.url("m", make: make).url } }
            for try await url in group {
                XCTAssertEqual(try Data(contentsOf: url.appendingPathComponent("part")), Data("whole".utf8))
            }
        }
        XCTAssertEqual(told.all, ["made"])
        XCTAssertEqual(
            try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("kept").path).sorted(),
            ["m", "m.lock"])
        let again = try await kept.url("m", make: make)
        XCTAssertNil(again.tookNs)
        kept.remove("m")
        let anew = try await kept.url("m", make: make)
        XCTAssertNotNil(anew.tookNs)
    }

    /// Another process that makes the same file is waited for, and its file is used; one that never ends is not waited
    /// for for ever.
    func testKeptFilesWaitForAnotherProcess() async throws {
        let root = try folder()
        var lock = FileLock(root.appendingPathComponent("m.lock"))
        XCTAssertNotNil(lock)
        let waiting = Task { try await KeptFiles(in: root).url("m") { throw BundleError("it must not be made twice") } }
        try await Task.sleep(for: .milliseconds(20))
        try Data("other".utf8).write(to: root.appendingPathComponent("m"))
        lock = nil
        let found = try await waiting.value
        XCTAssertNil(found.tookNs)
        let held = FileLock(root.appendingPathComponent("n.lock"))
        let made = try await KeptFiles(in: root, wait: .milliseconds(60)).url("n") {
            let place = root.appendingPathComponent("own")
            try Data("own".utf8).write(to: place)
            return place
        }
        XCTAssertNotNil(made.tookNs)
        withExtendedLifetime(held) {}
    }
}

/// Calls one after the other, and cancelling at odd moments.
final class CallQueueTests: XCTestCase {
    /// Calls run in the order in which they were made, never two at once.
    func testRunsOneAtATime() async throws {
        let (queue, told) = (CallQueue(), Told())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for call in 0..<20 {
                group.addTask {
                    try await queue.run {
                        told.add("in")
                        try await Task.sleep(for: .milliseconds(call % 3))
                        told.add("out")
                    }
                }
            }
            try await group.waitForAll()
        }
        XCTAssertEqual(told.all, (0..<20).flatMap { _ in ["in", "out"] })
    }

    /// A call that waits ends at once when its task is cancelled, and never has its turn; the one that runs and later
    /// ones are not touched.
    func testAWaitingCallIsCancelledAtOnce() async throws {
        let (queue, told) = (CallQueue(), Told())
        let first = Task {
            try await queue.run {
                told.add("first")
                await told.wait { $0.contains("go") }
            }
        }
        await told.wait { $0.contains("first") }
        let second = Task {
            told.add("second made")
            _ = try await queue.run { told.add("second ran") }
        }
        let third = Task { try await queue.run { told.add("third") } }
        await told.wait { $0.contains("second made") }
        second.cancel()
        do {
            try await second.value
            XCTFail("it was cancelled")
        } catch is CancellationError {}
        told.add("go")
        try await first.value
        _ = try await third.value
        XCTAssertFalse(told.all.contains("second ran"))
    }

    /// A task that is cancelled before it calls, and one that is cancelled while its work runs, get no result; the
    /// queue goes on.
    func testACancelledCallGivesNothing() async throws {
        let (queue, told) = (CallQueue(), Told())
        let before = Task {
            await told.wait { $0.contains("cancelled") }
            return try await queue.run { told.add("ran") }
        }
        before.cancel()
        told.add("cancelled")
        do {
            _ = try await before.value
            XCTFail("it was cancelled before")
        } catch is CancellationError {}
        XCTAssertEqual(told.all, ["cancelled"])
        let during = Task {
            try await queue.run {
                told.add("started")
                await told.wait { $0.contains("now") }
                return 7
            }
        }
        await told.wait { $0.contains("started") }
        during.cancel()
        told.add("now")
        do {
            _ = try await during.value
            XCTFail("it was cancelled while it ran")
        } catch is CancellationError {}
        let after = try await queue.run { 5 }
        XCTAssertEqual(after, 5)
    }
}
