// LiteRT: a .tflite file on the CPU, by the compiled-model C API with XNNPACK. Objects live until the process ends.

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "engine.h"
#include "litert_api.h"

static void check(LiteRtStatus status, const char* what) {
    if (status != 0)
        throw std::runtime_error(std::string("LiteRT cannot ") + what + " (status " + std::to_string(status) + ")");
}

static const char* dtype_name(int element_type) {
    switch (element_type) {
        case 1: return "float32";
        case 2: return "int32";
        case 3: return "uint8";
        case 4: return "int64";
        case 6: return "bool";
        case 7: return "int16";
        case 9: return "int8";
        case 10: return "float16";
        case 11: return "float64";
        default: return "other";
    }
}

class LiteRtEngine : public Engine {
public:
    const char* name() const override { return "litert"; }

    void load(const std::string& path, int threads) override {
        threads_ = threads;
        check(LiteRtCreateEnvironment(0, nullptr, &environment_), "create an environment");
        check(LiteRtCreateModelFromFile(environment_, path.c_str(), &model_), "read the model file");
    }

    void prepare() override {
        compiled_ = compile({{"xnnpack", "num_threads = " + std::to_string(threads_) + "\n"}});
        told_ = LiteRtCompiledModelIsFullyAccelerated(compiled_, &full_) == 0;

        LiteRtSignature signature = nullptr;
        check(LiteRtGetModelSignature(model_, 0, &signature), "read the model's signature");
        size_t inputs = 0, outputs = 0;
        check(LiteRtGetNumSignatureInputs(signature, &inputs), "count the inputs");
        check(LiteRtGetNumSignatureOutputs(signature, &outputs), "count the outputs");
        for (size_t i = 0; i < inputs; i++) {
            LiteRtTensor tensor = nullptr;
            LiteRtTensorBufferRequirements requirements = nullptr;
            check(LiteRtGetSignatureInputTensorByIndex(signature, i, &tensor), "describe an input");
            check(LiteRtGetCompiledModelInputBufferRequirements(compiled_, 0, i, &requirements), "size an input");
            inputs_.push_back(make_buffer(tensor, requirements));
        }
        for (size_t i = 0; i < outputs; i++) {
            LiteRtTensor tensor = nullptr;
            LiteRtTensorBufferRequirements requirements = nullptr;
            check(LiteRtGetSignatureOutputTensorByIndex(signature, i, &tensor), "describe an output");
            check(LiteRtGetCompiledModelOutputBufferRequirements(compiled_, 0, i, &requirements), "size an output");
            outputs_.push_back(make_buffer(tensor, requirements));
        }
        for (const Buffer& buffer : inputs_) input_handles_.push_back(buffer.handle);
        for (const Buffer& buffer : outputs_) output_handles_.push_back(buffer.handle);
    }

    std::vector<Tensor> inputs() const override { return described(inputs_); }
    std::vector<Tensor> outputs() const override { return described(outputs_); }

    void write_input(size_t index, const void* data) override {
        void* address = nullptr;
        check(LiteRtLockTensorBuffer(inputs_[index].handle, &address, kLiteRtTensorBufferLockModeWrite),
              "lock an input");
        memcpy(address, data, inputs_[index].tensor.bytes);
        check(LiteRtUnlockTensorBuffer(inputs_[index].handle), "unlock an input");
    }

    void run() override {
        check(LiteRtRunCompiledModel(compiled_, 0, input_handles_.size(), input_handles_.data(), output_handles_.size(),
                                     output_handles_.data()),
              "run the model");
    }

    void read_output(size_t index, void* data) const override {
        void* address = nullptr;
        check(LiteRtLockTensorBuffer(outputs_[index].handle, &address, kLiteRtTensorBufferLockModeRead),
              "lock an output");
        memcpy(data, address, outputs_[index].tensor.bytes);
        check(LiteRtUnlockTensorBuffer(outputs_[index].handle), "unlock an output");
    }

    const char* fully_delegated() const override { return !told_ ? "null" : full_ ? "true" : "false"; }

    // Whether XNNPACK, the only delegate that this process can load, takes part. Where it does not execute everything,
    // only a profile tells: the events of a delegate's operators have a type of their own.
    std::vector<std::string> delegates() const override {
        if (full_) return {"xnnpack"};
        const std::vector<std::vector<Event>> inferences = events(1, 1);  // a loop would not keep a part of it alive
        for (const Event& event : inferences[0]) {
            if (event.delegated) return {"xnnpack"};
        }
        return {};
    }

    std::vector<std::string> profile(int count) override {
        std::vector<std::string> texts;
        for (const std::vector<Event>& inference : events(count, threads_)) {
            std::string text;
            for (const Event& event : inference) text += event.kernel + "\t" + std::to_string(event.ns) + "\n";
            texts.push_back(text);
        }
        return texts;
    }

private:
    struct Event {
        std::string kernel;
        bool delegated;
        uint64_t ns;
    };
    struct Buffer {
        LiteRtTensorBuffer handle = nullptr;
        Tensor tensor;
    };

    // The options of the CPU and of the runtime are opaque to the C API: an identifier and a TOML text.
    LiteRtCompiledModel compile(const std::vector<std::pair<const char*, std::string>>& texts) const {
        LiteRtOptions options = nullptr;
        check(LiteRtCreateOptions(&options), "create options");
        check(LiteRtSetOptionsHardwareAccelerators(options, kLiteRtHwAcceleratorCpu), "select the CPU");
        for (const auto& [identifier, toml] : texts) {
            LiteRtOpaqueOptions opaque = nullptr;
            check(LiteRtCreateOpaqueOptions(identifier, strdup(toml.c_str()), free, &opaque),
                  "create options of the runtime");
            check(LiteRtAddOpaqueOptions(options, opaque), "add options of the runtime");
        }
        LiteRtCompiledModel compiled = nullptr;
        check(LiteRtCreateCompiledModel(environment_, model_, options, &compiled), "compile the model");
        return compiled;
    }

    // The operators of each inference of a second, profiled instance, in order: the measured one is not disturbed. Its
    // events are read, since the runtime's own summary adds up all inferences of an instance.
    std::vector<std::vector<Event>> events(int count, int threads) const {
        LiteRtCompiledModel compiled = compile({{"xnnpack", "num_threads = " + std::to_string(threads) + "\n"},
                                                {"runtime_options_string", "enable_profiling = true\n"}});
        LiteRtProfiler profiler = nullptr;
        check(LiteRtCompiledModelGetProfiler(compiled, &profiler), "profile the model");
        if (profiler == nullptr) throw std::runtime_error("LiteRT gave no profiler");
        std::vector<LiteRtTensorBuffer> inputs = input_handles_, outputs = output_handles_;
        auto run = [&] {
            check(LiteRtRunCompiledModel(compiled, 0, inputs.size(), inputs.data(), outputs.size(), outputs.data()),
                  "run the profiled model");
        };
        if (count > 1) run();  // the first inference of an instance prepares what later ones use
        std::vector<std::vector<Event>> inferences;
        for (int i = 0; i < count; i++) {
            check(LiteRtResetProfiler(profiler), "clear its profiler");
            check(LiteRtStartProfiler(profiler), "start its profiler");
            run();
            check(LiteRtStopProfiler(profiler), "stop its profiler");
            inferences.push_back(operators(profiler));
        }
        return inferences;
    }

    static std::vector<Event> operators(LiteRtProfiler profiler) {
        int count = 0;
        check(LiteRtGetNumProfilerEvents(profiler, &count), "count its events");
        std::vector<LiteRtProfiledEvent> all(count);
        if (count > 0) check(LiteRtGetProfilerEvents(profiler, count, all.data()), "read its events");
        std::vector<Event> found;
        for (const LiteRtProfiledEvent& event : all) {
            bool delegated = event.type == kLiteRtDelegateOperatorProfiled;
            if (delegated || event.type == kLiteRtOperatorInvoked)
                found.push_back({event.tag == nullptr ? "" : event.tag, delegated, event.elapsed_us * 1000});
        }
        return found;
    }

    Buffer make_buffer(LiteRtTensor tensor, LiteRtTensorBufferRequirements requirements) {
        LiteRtRankedTensorType type{};
        Buffer buffer;
        check(LiteRtGetRankedTensorType(tensor, &type), "describe a tensor");
        check(LiteRtCreateManagedTensorBufferFromRequirements(environment_, &type, requirements, &buffer.handle),
              "allocate a tensor");
        check(LiteRtGetTensorBufferPackedSize(buffer.handle, &buffer.tensor.bytes), "size a tensor");
        buffer.tensor.dtype = dtype_name(type.element_type);
        for (unsigned i = 0; i < type.layout.rank; i++) buffer.tensor.shape.push_back(type.layout.dimensions[i]);
        return buffer;
    }

    static std::vector<Tensor> described(const std::vector<Buffer>& buffers) {
        std::vector<Tensor> tensors;
        for (const Buffer& buffer : buffers) tensors.push_back(buffer.tensor);
        return tensors;
    }

    LiteRtEnvironment environment_ = nullptr;
    LiteRtModel model_ = nullptr;
    LiteRtCompiledModel compiled_ = nullptr;
    std::vector<Buffer> inputs_, outputs_;
    std::vector<LiteRtTensorBuffer> input_handles_, output_handles_;
    int threads_ = 1;
    bool told_ = false;
    bool full_ = false;
};

std::unique_ptr<Engine> make_engine() { return std::make_unique<LiteRtEngine>(); }
