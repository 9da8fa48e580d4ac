// Just enough JSON to write one result line.
#pragma once

#include <string>
#include <vector>

#include "engine.h"

std::string json_text(const std::string& text);
std::string json_texts(const std::vector<std::string>& texts);
std::string json_tensors(const std::vector<Tensor>& tensors);

template <typename Number>
std::string json_numbers(const std::vector<Number>& numbers) {
    std::string line;
    for (Number number : numbers) line += (line.empty() ? "" : ",") + std::to_string(number);
    return "[" + line + "]";
}
