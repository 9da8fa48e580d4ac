@_exported import Combine
@_exported import CoreGraphics
@_exported import UIKit

@MainActor @preconcurrency public protocol View {
    associatedtype Body: View
    @ViewBuilder var body: Body { get }
}
extension Never: View { public var body: Never { fatalError() } }
public protocol BuiltIn: View where Body == Never {}
extension BuiltIn { public var body: Never { fatalError() } }
public struct Group_<T>: BuiltIn { nonisolated init() {} }
extension Optional: View where Wrapped: View { public var body: Never { fatalError() } }
@resultBuilder public enum ViewBuilder {
    public static func buildBlock<each V: View>(_ views: repeat each V) -> Group_<(repeat each V)> { fatalError() }
    public static func buildBlock<V: View>(_ view: V) -> V { view }
    public static func buildExpression<V: View>(_ view: V) -> V { view }
    public static func buildIf<V: View>(_ view: V?) -> V? { view }
    public static func buildEither<T: View, F: View>(first: T) -> Either<T, F> { fatalError() }
    public static func buildEither<T: View, F: View>(second: F) -> Either<T, F> { fatalError() }
}
public struct Either<T: View, F: View>: BuiltIn {}

@MainActor @preconcurrency public protocol Scene {
    associatedtype Body: Scene
    @SceneBuilder var body: Body { get }
}
extension Never: Scene {}
public struct WindowGroup<Content: View>: Scene {
    public init(@ViewBuilder content: () -> Content) { fatalError() }
    public var body: Never { fatalError() }
}
@resultBuilder public enum SceneBuilder { public static func buildBlock<S: Scene>(_ scene: S) -> S { scene } }
@MainActor @preconcurrency public protocol App {
    associatedtype Body: Scene
    @SceneBuilder var body: Body { get }
    init()
}
extension App { public static func main() { fatalError() } }

public struct LocalizedStringKey: ExpressibleByStringInterpolation, Sendable {
    public init(stringLiteral value: String) {}
}
@propertyWrapper public struct Binding<Value> {
    public init(get: @escaping () -> Value, set: @escaping (Value) -> Void) {}
    public var wrappedValue: Value {
        get { fatalError() }
        nonmutating set { fatalError() }
    }
    public var projectedValue: Binding<Value> { self }
}
@propertyWrapper public struct State<Value> {
    public init(wrappedValue: Value) {}
    public init() where Value: ExpressibleByNilLiteral {}
    public var wrappedValue: Value {
        get { fatalError() }
        nonmutating set { fatalError() }
    }
    public var projectedValue: Binding<Value> { fatalError() }
}
@propertyWrapper public struct SceneStorage<Value> {
    public init(wrappedValue: Value, _ key: String) where Value == String {}
    public init(wrappedValue: Value, _ key: String) where Value == Double {}
    public init(wrappedValue: Value, _ key: String) where Value == Bool {}
    public var wrappedValue: Value {
        get { fatalError() }
        nonmutating set { fatalError() }
    }
}
@MainActor @preconcurrency @propertyWrapper public struct StateObject<Value: ObservableObject> {
    public nonisolated init(wrappedValue: @autoclosure @escaping () -> Value) {}
    public var wrappedValue: Value { fatalError() }
}
@MainActor @preconcurrency @propertyWrapper public struct EnvironmentObject<Value: ObservableObject> {
    public nonisolated init() {}
    public var wrappedValue: Value { fatalError() }
    public var projectedValue: Wrapper { fatalError() }
    @dynamicMemberLookup public struct Wrapper {
        public subscript<T>(dynamicMember path: ReferenceWritableKeyPath<Value, T>) -> Binding<T> { fatalError() }
    }
}

public struct Text: BuiltIn {
    public nonisolated init(_ key: LocalizedStringKey) {}
    public nonisolated init(verbatim text: String) {}
}
public struct Image: BuiltIn {
    public nonisolated init(decorative image: CGImage, scale: CGFloat) {}
    public nonisolated func resizable() -> Image { self }
}
public struct Spacer: BuiltIn { public nonisolated init() {} }
public struct Rectangle: BuiltIn { public nonisolated init() {} }
public struct Label: BuiltIn { public nonisolated init(_ key: LocalizedStringKey, systemImage: String) {} }
public struct VStack<C: View>: BuiltIn {
    public init(alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil, @ViewBuilder content: () -> C) {
        fatalError()
    }
}
public struct HStack<C: View>: BuiltIn { public init(@ViewBuilder content: () -> C) { fatalError() } }
public struct ZStack<C: View>: BuiltIn {
    public init(alignment: Alignment = .center, @ViewBuilder content: () -> C) { fatalError() }
}
public struct List<C: View>: BuiltIn { public init(@ViewBuilder content: () -> C) { fatalError() } }
public struct ScrollView<C: View>: BuiltIn { public init(@ViewBuilder content: () -> C) { fatalError() } }
public struct NavigationStack<C: View>: BuiltIn { public init(@ViewBuilder root: () -> C) { fatalError() } }
public struct NavigationLink<C: View>: BuiltIn {
    public init(_ key: LocalizedStringKey, @ViewBuilder destination: () -> C) { fatalError() }
}
public struct Button: BuiltIn {
    public init(_ key: LocalizedStringKey, action: @escaping @MainActor () -> Void) { fatalError() }
}
public struct ShareLink: BuiltIn { public init(item: URL) { fatalError() } }
public struct ProgressView: BuiltIn {
    public init(_ key: LocalizedStringKey) { fatalError() }
    public init(value: Double?) { fatalError() }
}
public struct Toggle: BuiltIn { public init(_ key: LocalizedStringKey, isOn: Binding<Bool>) { fatalError() } }
public struct Slider<L: View>: BuiltIn {
    public init<V: BinaryFloatingPoint>(
        value: Binding<V>, in bounds: ClosedRange<V>, @ViewBuilder label: () -> L,
        onEditingChanged: @escaping (Bool) -> Void = { _ in }
    ) { fatalError() }
}
public struct Picker<S: Hashable, C: View>: BuiltIn {
    public init(_ key: LocalizedStringKey, selection: Binding<S>, @ViewBuilder content: () -> C) { fatalError() }
}
public struct ForEach<C: View>: BuiltIn {
    public init<D: RandomAccessCollection, I: Hashable>(
        _ data: D, id: KeyPath<D.Element, I>, @ViewBuilder content: @escaping (D.Element) -> C
    ) { fatalError() }
    public init<D: RandomAccessCollection>(_ data: D, @ViewBuilder content: @escaping (D.Element) -> C)
    where D.Element: Identifiable { fatalError() }
}
public struct GeometryProxy { public var size: CGSize { fatalError() } }
public struct GeometryReader<C: View>: BuiltIn {
    public init(@ViewBuilder content: @escaping (GeometryProxy) -> C) { fatalError() }
}
public enum HorizontalAlignment: Sendable { case leading, center }
public enum Alignment: Sendable { case leading, center }
public enum ContentMode: Sendable { case fit }
public enum Font: Sendable { case caption }
public enum AccessibilityAdjustmentDirection: Sendable { case increment, decrement }
@MainActor @preconcurrency public protocol Gesture {}
public struct DragGesture: Gesture {
    public struct Value: Sendable { public var location: CGPoint }
    public nonisolated init(minimumDistance: CGFloat) {}
    public func onChanged(_ action: @escaping (Value) -> Void) -> DragGesture { self }
}
extension View {
    public func environmentObject<T: ObservableObject>(_ object: T) -> some View { self }
    public func task(_ action: @escaping @MainActor @Sendable () async -> Void) -> some View { self }
    public func onChange<V: Equatable>(of value: V, perform action: @escaping (V) -> Void) -> some View { self }
    public func onDisappear(perform action: @escaping () -> Void) -> some View { self }
    public func padding() -> some View { self }
    public func font(_ font: Font) -> some View { self }
    public func tag<V: Hashable>(_ tag: V) -> some View { self }
    public func frame(width: CGFloat? = nil, height: CGFloat? = nil) -> some View { self }
    public func offset(x: CGFloat) -> some View { self }
    public func mask<M: View>(alignment: Alignment, @ViewBuilder _ mask: () -> M) -> some View { self }
    public func gesture<G: Gesture>(_ gesture: G) -> some View { self }
    public func aspectRatio(contentMode: ContentMode) -> some View { self }
    public func navigationTitle(_ key: LocalizedStringKey) -> some View { self }
    public func navigationTitle(_ text: Text) -> some View { self }
    public func accessibilityLabel(_ text: Text) -> some View { self }
    public func accessibilityValue(_ text: Text) -> some View { self }
    public func accessibilityAdjustableAction(_ handler: @escaping (AccessibilityAdjustmentDirection) -> Void)
        -> some View
    { self }
}
