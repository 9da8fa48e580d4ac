// What the benchmark loop needs of a runtime. One adapter per runtime implements it; one binary is linked per adapter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct Tensor {
    std::string dtype;
    std::vector<int64_t> shape;
    size_t bytes = 0;
};

// Methods throw std::runtime_error with the runtime's own status when something fails.
class Engine {
public:
    virtual ~Engine() = default;
    virtual const char* name() const = 0;
    // From file to program: what `load_ns` times.
    virtual void load(const std::string& path, int threads) = 0;
    // Delegates and memory: what `init_ns` times.
    virtual void prepare() = 0;
    virtual std::vector<Tensor> inputs() const = 0;
    virtual std::vector<Tensor> outputs() const = 0;  // shapes are those of the last run()
    virtual void write_input(size_t index, const void* data) = 0;
    virtual void run() = 0;
    virtual void read_output(size_t index, void* data) const = 0;
    // "true", "false", or "null" where the runtime does not tell: are all operators executed by a delegate?
    virtual const char* fully_delegated() const { return "null"; }
    // What the runtime's own profiler says of each of `count` inferences on the same inputs: one text each. A second
    // instance is profiled.
    virtual std::vector<std::string> profile(int count) = 0;
    // Names of the delegates that execute a part of the model, where the runtime tells.
    virtual std::vector<std::string> delegates() const { return {}; }
};

std::unique_ptr<Engine> make_engine();
