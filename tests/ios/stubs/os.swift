public func os_proc_available_memory() -> Int { 4_000_000_000 }
