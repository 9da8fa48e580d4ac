// The benchmark loop that all runtimes share: load, first inference, warm-up, timed runs, outputs, one JSON line on
// stdout. Exit status: 0 done, 1 the runtime or a file failed, 2 wrong usage. On failure the line is
// {"schema":1,"error":"..."}.

#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "engine.h"
#include "json.h"
#include "options.h"
#include "system.h"

static std::vector<char> read_exactly(const std::string& path, size_t bytes) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot open " + path);
    std::vector<char> data(bytes);
    file.read(data.data(), static_cast<std::streamsize>(bytes));
    if (static_cast<size_t>(file.gcount()) != bytes || file.peek() != std::ifstream::traits_type::eof())
        throw std::runtime_error(path + " is not the " + std::to_string(bytes) + " bytes that the model takes");
    return data;
}

static void write_whole(const std::string& path, const std::vector<char>& data) {
    std::ofstream file(path, std::ios::binary);
    file.write(data.data(), static_cast<std::streamsize>(data.size()));
    if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

static uint64_t timed(Engine& engine) {
    uint64_t start = monotonic_ns();
    engine.run();
    return monotonic_ns() - start;
}

static void set_inputs(Engine& engine, const std::vector<std::string>& files) {
    std::vector<Tensor> inputs = engine.inputs();
    if (!files.empty() && files.size() != inputs.size())
        throw std::runtime_error("the model has " + std::to_string(inputs.size()) + " inputs but " +
                                 std::to_string(files.size()) + " were given");
    for (size_t i = 0; i < inputs.size(); i++) {
        std::vector<char> data =
            files.empty() ? std::vector<char>(inputs[i].bytes) : read_exactly(files[i], inputs[i].bytes);
        engine.write_input(i, data.data());
    }
}

static std::string benchmark(const Options& options) {
    if (access(options.model.c_str(), R_OK) != 0) throw std::runtime_error("cannot open " + options.model);
    std::unique_ptr<Engine> engine = make_engine();
    long rss_start_kb = status_kb("VmRSS");
    uint64_t start = monotonic_ns();
    engine->load(options.model, options.threads);
    uint64_t loaded = monotonic_ns();
    engine->prepare();
    uint64_t prepared = monotonic_ns();

    set_inputs(*engine, options.inputs);
    uint64_t first = timed(*engine);
    for (int i = 1; i < options.warmup; i++) engine->run();
    std::vector<uint64_t> latency_ns(static_cast<size_t>(options.runs));
    for (uint64_t& sample : latency_ns) {
        if (options.mark) mark();
        sample = timed(*engine);
    }
    if (options.mark) mark();
    long peak_kb = status_kb("VmHWM");  // before the outputs are copied: the copy is the runner's, not the model's

    std::vector<Tensor> outputs = engine->outputs();
    for (size_t i = 0; i < outputs.size() && !options.output.empty(); i++) {
        std::vector<char> data(outputs[i].bytes);
        engine->read_output(i, data.data());
        write_whole(options.output + "." + std::to_string(i) + ".bin", data);
    }
    std::string profile = options.profile ? ",\"profile\":" + json_texts(engine->profile(options.profile)) : "";
    return "{\"schema\":1,\"runtime\":" + json_text(engine->name()) + ",\"machine\":" + json_text(machine()) +
           ",\"kernel\":" + json_text(kernel_release()) + ",\"cpus\":" + json_numbers(allowed_cpus()) +
           ",\"threads\":" + std::to_string(options.threads) + ",\"warmup\":" + std::to_string(options.warmup) +
           ",\"load_ns\":" + std::to_string(loaded - start) + ",\"init_ns\":" + std::to_string(prepared - loaded) +
           ",\"first_ns\":" + std::to_string(first) + ",\"rss_start_kb\":" + std::to_string(rss_start_kb) +
           ",\"peak_rss_kb\":" + std::to_string(peak_kb) + ",\"fully_delegated\":" + engine->fully_delegated() +
           ",\"delegates\":" + json_texts(engine->delegates()) + ",\"inputs\":" + json_tensors(engine->inputs()) +
           ",\"outputs\":" + json_tensors(outputs) + ",\"latency_ns\":" + json_numbers(latency_ns) + profile + "}";
}

int main(int count, char** words) {
    report_crashes();
    int status = 1;
    std::string line;
    try {
        line = benchmark(parse_options(count, words));
        status = 0;
    } catch (const UsageError& error) {
        line = "{\"schema\":1,\"error\":" + json_text(error.what()) + "}";
        status = 2;
    } catch (const std::exception& error) {
        line = "{\"schema\":1,\"error\":" + json_text(error.what()) + "}";
    }
    puts(line.c_str());
    fflush(stdout);
    _exit(status);  // without the runtimes' global destructors, which are no part of what is measured
}
