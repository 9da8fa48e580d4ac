@_exported import Foundation

public protocol ValueConvertible {}
public struct Value {
    public func tensor<T: Scalar>() -> Tensor<T>? { fatalError() }
}
public protocol Scalar {}
extension Float: Scalar {}
public final class Tensor<T: Scalar>: ValueConvertible {
    public convenience init(_ scalars: [T], shape: [Int]) { fatalError() }
    public func scalars() -> [T] { fatalError() }
}
public class Module: NSObject {
    public init(filePath: String) { fatalError() }
    public func load(_ method: String) throws { fatalError() }
    public func forward(_ inputs: [any ValueConvertible]) throws -> [Value] { fatalError() }
}
