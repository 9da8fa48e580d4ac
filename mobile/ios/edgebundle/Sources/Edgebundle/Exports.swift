@_exported import EdgebundleCore
