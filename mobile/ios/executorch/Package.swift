// swift-tools-version: 6.0
// ExecuTorch engines for the SDK, a package of its own so that apps with Core ML alone fetch nothing. An app that adds
// it sets OTHER_LDFLAGS = -all_load, because ExecuTorch registers its kernels and backends when it is loaded. Binaries
// are arm64 only.
import PackageDescription

let package = Package(
    name: "edgebundle-executorch",
    platforms: [.iOS(.v17), .macOS(.v13)],
    products: [.library(name: "EdgebundleExecuTorch", targets: ["EdgebundleExecuTorch"])],
    dependencies: [
        .package(path: "../edgebundle"),
        .package(url: "https://github.com/pytorch/executorch.git", branch: "swiftpm-1.5.1"),
    ],
    targets: [
        .target(
            name: "EdgebundleExecuTorch",
            dependencies: [
                .product(name: "Edgebundle", package: "edgebundle"),
                .product(name: "executorch", package: "executorch"),
                .product(name: "backend_coreml", package: "executorch"),
                .product(name: "backend_xnnpack", package: "executorch"),
                .product(name: "kernels_optimized", package: "executorch"),
                .product(name: "kernels_quantized", package: "executorch"),
            ]
        )
    ],
    swiftLanguageModes: [.v6]
)
