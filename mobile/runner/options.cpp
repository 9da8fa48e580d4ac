#include <cerrno>
#include <cstdlib>

#include "options.h"

static int number(const std::string& option, const std::string& text, int low, int high) {
    char* end = nullptr;
    errno = 0;
    long value = strtol(text.c_str(), &end, 10);
    if (text.empty() || *end || errno || value < low || value > high)
        throw UsageError(option + " takes a number from " + std::to_string(low) + " to " + std::to_string(high) +
                         ", not '" + text + "'");
    return static_cast<int>(value);
}

Options parse_options(int count, char** words) {
    Options options;
    for (int i = 1; i < count; i++) {
        std::string option = words[i];
        if (option == "--mark") {
            options.mark = true;
            continue;
        }
        bool known = option == "--model" || option == "--input" || option == "--output" || option == "--threads" ||
                     option == "--warmup" || option == "--runs" || option == "--profile";
        if (!known) throw UsageError("unknown option '" + option + "'");
        if (i + 1 >= count) throw UsageError(option + " wants a value");
        std::string value = words[++i];
        if (option == "--model") options.model = value;
        if (option == "--input") options.inputs.push_back(value);
        if (option == "--output") options.output = value;
        if (option == "--threads") options.threads = number(option, value, 1, 64);
        if (option == "--warmup") options.warmup = number(option, value, 1, 1000000);
        if (option == "--runs") options.runs = number(option, value, 1, 1000000);
        if (option == "--profile") options.profile = number(option, value, 1, 1000);
    }
    if (options.model.empty()) throw UsageError("--model is required");
    return options;
}
