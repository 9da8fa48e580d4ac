@_exported import SwiftUI

public struct PhotosPickerItem: Equatable, Hashable, Sendable {
    public func loadTransferable<T: Sendable>(type: T.Type) async throws -> T? { fatalError() }
}
public enum PHPickerFilter: Sendable { case images }
public struct PhotosPicker<C: View>: BuiltIn {
    public init(selection: Binding<PhotosPickerItem?>, matching: PHPickerFilter?, @ViewBuilder label: () -> C) {
        fatalError()
    }
}
