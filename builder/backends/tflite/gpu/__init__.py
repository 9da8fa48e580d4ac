"""GPU variants on this machine: LiteRT's own GPU accelerator, executed over a software Vulkan driver."""
