#include <cstdio>

#include "json.h"

std::string json_text(const std::string& text) {
    std::string line = "\"";
    for (char c : text) {
        if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            snprintf(escape, sizeof escape, "\\u%04x", c);
            line += escape;
            continue;
        }
        if (c == '"' || c == '\\') line += '\\';
        line += c;
    }
    return line + "\"";
}

std::string json_texts(const std::vector<std::string>& texts) {
    std::string line;
    for (const std::string& text : texts) line += (line.empty() ? "" : ",") + json_text(text);
    return "[" + line + "]";
}

std::string json_tensors(const std::vector<Tensor>& tensors) {
    std::string line;
    for (const Tensor& tensor : tensors) {
        line += line.empty() ? "" : ",";
        line += "{\"dtype\":" + json_text(tensor.dtype) + ",\"shape\":" + json_numbers(tensor.shape) +
                ",\"bytes\":" + std::to_string(tensor.bytes) + "}";
    }
    return "[" + line + "]";
}
