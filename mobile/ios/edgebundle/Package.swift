// swift-tools-version: 6.0
// The SDK of edgebundle for iOS: `Edgebundle` runs a bundle's Core ML variants, `EdgebundleCore` is what has no Apple
// framework in it. `builder package --target ios --format package` writes this package with a bundle as its resources.
import PackageDescription

let package = Package(
    name: "edgebundle",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [
        .library(name: "Edgebundle", targets: ["Edgebundle"]),
        .library(name: "EdgebundleCore", targets: ["EdgebundleCore"]),
    ],
    targets: [
        .target(name: "EdgebundleCore"),
        .target(name: "Edgebundle", dependencies: ["EdgebundleCore"], resources: [.process("PrivacyInfo.xcprivacy")]),
        .testTarget(name: "EdgebundleCoreTests", dependencies: ["EdgebundleCore"]),
    ],
    swiftLanguageModes: [.v6]
)
