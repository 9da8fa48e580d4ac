// swift-tools-version: 6.0
// The SDK itself, executed on Linux over stand-ins that play Apple's frameworks; put together by
// tests/ios/test_swift_played.py.
import PackageDescription

let standIns: [Target] = [
    ("CoreGraphics", []), ("ImageIO", ["CoreGraphics"]), ("CoreVideo", ["CoreGraphics"]), ("CoreML", ["CoreVideo"]),
    ("os", []),
    ("UIKit", ["CoreGraphics"]), ("AVFoundation", ["CoreVideo"]), ("Compression", []),
].map { name, needs in
    .target(
        name: name, dependencies: needs.map { Target.Dependency(stringLiteral: $0) },
        swiftSettings: [.swiftLanguageMode(.v5), .unsafeFlags(["-suppress-warnings"])])
}

let package = Package(
    name: "played",
    targets: standIns + [
        .target(name: "EdgebundleCore"),
        .target(
            name: "Edgebundle",
            dependencies: ["EdgebundleCore"] + standIns.map { Target.Dependency(stringLiteral: $0.name) },
            exclude: ["PrivacyInfo.xcprivacy"]),
        .testTarget(name: "PlayedTests", dependencies: ["Edgebundle"]),
    ],
    swiftLanguageModes: [.v6]
)
