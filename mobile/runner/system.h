// What the runner asks of the operating system.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

uint64_t monotonic_ns();

// A line of /proc/self/status in KiB (VmHWM, VmRSS), or -1 when it cannot be read.
long status_kb(const std::string& key);

// CPUs that this process may run on.
std::vector<int> allowed_cpus();

std::string machine();
std::string kernel_release();

// A system call that changes nothing (it asks for the group of a process that cannot exist) and that qemu/count.c recognizes.
void mark();
