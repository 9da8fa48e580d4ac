// ExecuTorch: a .pte file's method `forward`, by the Module API, with the XNNPACK backend and the optimized and
// quantized kernels.

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

#include <cstring>
#include <stdexcept>

#include "engine.h"

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

class ExecuTorchEngine : public Engine {
public:
    const char* name() const override { return "executorch"; }

    void load(const std::string& path, int threads) override {
        auto* pool = executorch::extension::threadpool::get_threadpool();
        if (pool == nullptr || !pool->_unsafe_reset_threadpool(static_cast<uint32_t>(threads)))
            throw std::runtime_error("ExecuTorch cannot set " + std::to_string(threads) + " threads");
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

private:
    std::unique_ptr<Module> module_;
    std::vector<std::vector<char>> data_;  // what tensors_ point to
    std::vector<TensorPtr> tensors_;
    std::vector<EValue> values_, outputs_;
    std::vector<Tensor> inputs_;
    std::vector<std::string> delegates_;
};

std::unique_ptr<Engine> make_engine() { return std::make_unique<ExecuTorchEngine>(); }
