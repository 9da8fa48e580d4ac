@_exported import Foundation

public typealias mach_port_t = UInt32
public typealias mach_msg_type_number_t = UInt32
public typealias natural_t = UInt32
public typealias integer_t = Int32
public typealias kern_return_t = Int32
public typealias task_flavor_t = UInt32
public let TASK_VM_INFO = 22
public let KERN_SUCCESS: kern_return_t = 0
public var mach_task_self_: mach_port_t = 0
public struct task_vm_info_data_t {
    public init() { fatalError() }
    public var phys_footprint: UInt64
    public var ledger_phys_footprint_peak: Int64
}
public func task_info(
    _ task: mach_port_t, _ flavor: task_flavor_t, _ info: UnsafeMutablePointer<integer_t>?,
    _ count: UnsafeMutablePointer<mach_msg_type_number_t>?
) -> kern_return_t { fatalError() }
