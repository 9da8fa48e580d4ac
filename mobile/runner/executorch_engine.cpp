// ExecuTorch: a .pte file's method `forward`, by the Module API, with the XNNPACK backend and the optimized and
// quantized kernels.

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/runtime/core/event_tracer.h>
#include <executorch/runtime/platform/platform.h>

#include <cstring>
#include <stdexcept>
#include <utility>

#include "engine.h"
#include "system.h"

// The wheel exports the thread pool but leaves its header out; these are the two members that the runner needs.
namespace executorch::extension::threadpool {
class ThreadPool {
public:
    bool _unsafe_reset_threadpool(uint32_t threads);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

using executorch::aten::ScalarType;
using executorch::extension::Module;
using executorch::extension::TensorPtr;
namespace runtime = executorch::runtime;
using executorch::runtime::Error;
using executorch::runtime::EValue;

static void check(Error error, const char* what) {
    if (error != Error::Ok)
        throw std::runtime_error(std::string("ExecuTorch cannot ") + what + " (error " +
                                 std::to_string(static_cast<int>(error)) + ")");
}

static const char* dtype_name(ScalarType type) {
    switch (type) {
        case ScalarType::Byte: return "uint8";
        case ScalarType::Char: return "int8";
        case ScalarType::Short: return "int16";
        case ScalarType::Int: return "int32";
        case ScalarType::Long: return "int64";
        case ScalarType::Half: return "float16";
        case ScalarType::Float: return "float32";
        case ScalarType::Double: return "float64";
        case ScalarType::Bool: return "bool";
        default: return "other";
    }
}

// What ExecuTorch and its delegates tell an EventTracer (the interface that ETDump implements): a line `kernel TAB
// nanoseconds` for each operator. Only the innermost events are kept: a delegate's call holds those of its operators.
class OperatorTracer : public runtime::EventTracer {
public:
    void create_event_block(const char*) override {}
    runtime::EventTracerEntry start_profiling(const char* name, runtime::ChainID, runtime::DebugHandle) override {
        return start(name);
    }
    runtime::EventTracerEntry start_profiling_delegate(const char* name, runtime::DelegateDebugIntId) override {
        return start(name == nullptr ? "delegated" : name);
    }
    void end_profiling(runtime::EventTracerEntry entry) override { end(entry); }
    void end_profiling_delegate(runtime::EventTracerEntry entry, const void*, size_t) override { end(entry); }
    void log_profiling_delegate(const char* name, runtime::DelegateDebugIntId, et_timestamp_t first,
                                et_timestamp_t last, const void*, size_t) override {
        auto ratio = et_pal_ticks_to_ns_multiplier();
        add(name == nullptr ? "delegated" : name, (last - first) * ratio.numerator / ratio.denominator);
    }
    void track_allocation(runtime::AllocatorID, size_t) override {}
    runtime::AllocatorID track_allocator(const char*) override { return 0; }
    runtime::Result<bool> log_evalue(const EValue&, runtime::LoggedEValueType) override { return false; }
    runtime::Result<bool> log_intermediate_output_delegate(const char*, runtime::DelegateDebugIntId,
                                                           const executorch::aten::Tensor&) override {
        return false;
    }
    runtime::Result<bool> log_intermediate_output_delegate(const char*, runtime::DelegateDebugIntId,
                                                           const runtime::ArrayRef<executorch::aten::Tensor>) override {
        return false;
    }
    runtime::Result<bool> log_intermediate_output_delegate(const char*, runtime::DelegateDebugIntId,
                                                           const int&) override {
        return false;
    }
    runtime::Result<bool> log_intermediate_output_delegate(const char*, runtime::DelegateDebugIntId,
                                                           const bool&) override {
        return false;
    }
    runtime::Result<bool> log_intermediate_output_delegate(const char*, runtime::DelegateDebugIntId,
                                                           const double&) override {
        return false;
    }
    void set_delegation_intermediate_output_filter(runtime::EventTracerFilterBase*) override {}

    std::string take() {
        std::string text;
        std::swap(text, text_);
        return text;
    }

private:
    struct Open {
        std::string name;
        uint64_t start;
        size_t events;
    };

    runtime::EventTracerEntry start(const char* name) {
        open_.push_back({name, monotonic_ns(), events_});
        return {};
    }

    void end(runtime::EventTracerEntry) {
        if (open_.empty()) return;
        Open last = open_.back();
        open_.pop_back();
        if (events_ == last.events) add(last.name, monotonic_ns() - last.start);
    }

    void add(const std::string& name, uint64_t ns) {
        text_ += name + "\t" + std::to_string(ns) + "\n";
        events_++;
    }

    std::vector<Open> open_;
    std::string text_;
    size_t events_ = 0;
};

class ExecuTorchEngine : public Engine {
public:
    const char* name() const override { return "executorch"; }

    void load(const std::string& path, int threads) override {
        auto* pool = executorch::extension::threadpool::get_threadpool();
        if (pool == nullptr || !pool->_unsafe_reset_threadpool(static_cast<uint32_t>(threads)))
            throw std::runtime_error("ExecuTorch cannot set " + std::to_string(threads) + " threads");
        path_ = path;
        module_ = std::make_unique<Module>(path, Module::LoadMode::Mmap);
        check(module_->load(), "read the model file");
    }

    void prepare() override {
        check(module_->load_method("forward"), "load the method forward");
        auto method = module_->method_meta("forward");
        check(method.error(), "describe the method forward");
        data_.resize(method->num_inputs());
        for (size_t i = 0; i < method->num_inputs(); i++) {
            auto meta = method->input_tensor_meta(i);
            check(meta.error(), "describe an input (only tensors are supported)");
            std::vector<executorch::aten::SizesType> sizes(meta->sizes().begin(), meta->sizes().end());
            Tensor tensor;
            tensor.dtype = dtype_name(meta->scalar_type());
            tensor.shape.assign(sizes.begin(), sizes.end());
            tensor.bytes = meta->nbytes();
            data_[i].resize(tensor.bytes);
            tensors_.push_back(executorch::extension::make_tensor_ptr(sizes, data_[i].data(), meta->scalar_type()));
            values_.push_back(tensors_.back());
            inputs_.push_back(tensor);
        }
        for (size_t i = 0; i < method->num_backends(); i++) {
            auto backend = method->get_backend_name(i);
            check(backend.error(), "name a backend");
            delegates_.push_back(backend.get());
        }
    }

    std::vector<Tensor> inputs() const override { return inputs_; }

    std::vector<Tensor> outputs() const override {
        std::vector<Tensor> tensors;
        for (const EValue& value : outputs_) {
            if (!value.isTensor()) throw std::runtime_error("the model has an output that is not a tensor");
            Tensor tensor;
            tensor.dtype = dtype_name(value.toTensor().scalar_type());
            tensor.bytes = value.toTensor().nbytes();
            for (auto size : value.toTensor().sizes()) tensor.shape.push_back(size);
            tensors.push_back(tensor);
        }
        return tensors;
    }

    void write_input(size_t index, const void* data) override {
        memcpy(data_[index].data(), data, data_[index].size());
    }

    void run() override {
        auto result = module_->execute("forward", values_);
        check(result.error(), "run the method forward");
        outputs_ = std::move(result.get());
    }

    void read_output(size_t index, void* data) const override {
        const auto& tensor = outputs_[index].toTensor();
        memcpy(data, tensor.const_data_ptr(), tensor.nbytes());
    }

    std::vector<std::string> delegates() const override { return delegates_; }

    std::vector<std::string> profile(int count) override {
        auto owned = std::make_unique<OperatorTracer>();
        OperatorTracer* tracer = owned.get();
        Module profiled(path_, Module::LoadMode::Mmap, std::move(owned));
        check(profiled.load_method("forward"), "load the profiled method");
        std::vector<std::string> texts;
        for (int i = -1; i < count; i++) {  // the first inference prepares what later ones use
            tracer->take();
            check(profiled.execute("forward", values_).error(), "run the profiled method");
            if (i >= 0) texts.push_back(tracer->take());
        }
        return texts;
    }

private:
    std::string path_;
    std::unique_ptr<Module> module_;
    std::vector<std::vector<char>> data_;  // what tensors_ point to
    std::vector<TensorPtr> tensors_;
    std::vector<EValue> values_, outputs_;
    std::vector<Tensor> inputs_;
    std::vector<std::string> delegates_;
};

std::unique_ptr<Engine> make_engine() { return std::make_unique<ExecuTorchEngine>(); }
