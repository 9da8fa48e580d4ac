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

// From here on a crash of the runtime (a damaged model can cause one) ends the process with status 1 and an error line
// on stdout, as every other failure does, and leaves no core file.
void report_crashes();

// A system call that changes nothing (it asks for the group of a process that cannot exist) and that qemu/count.c
// recognizes.
void mark();
