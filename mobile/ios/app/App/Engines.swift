import Edgebundle

#if canImport(EdgebundleExecuTorch)
    import EdgebundleExecuTorch
#endif

/// The engines of this app: Core ML, and ExecuTorch where the project was made with it.
enum Engines {
    static var all: [String: any EngineFactory] {
        #if canImport(EdgebundleExecuTorch)
            ImageModel.engines.merging(ExecuTorchFactory.all) { own, _ in own }
        #else
            ImageModel.engines
        #endif
    }
}
