"""iPhones and simulators over devicectl, pymobiledevice3 and simctl."""
