// The command line of both runners.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

struct Options {
    std::string model;
    std::vector<std::string> inputs;  // raw little-endian files, one per model input, in order; none: zeros
    std::string output;               // prefix of PREFIX.0.bin, PREFIX.1.bin, ...; empty: outputs are not written
    int threads = 1;
    int warmup = 3;  // runs before timing starts, the first inference included
    int runs = 20;
    int profile = 0;    // inferences of a profiled instance after the timed ones
    bool mark = false;  // make a marking system call around every timed run, for qemu/count.c
};

class UsageError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

Options parse_options(int count, char** words);
