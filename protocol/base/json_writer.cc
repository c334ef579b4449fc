#include "protocol/base/json_writer.h"

#include <cmath>

#include "protocol/base/text.h"

namespace dunlin {

void AppendJsonString(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t plain = 0;  // start of the run not yet copied
  std::size_t i = 0;
  auto flush = [&] { out.append(text.substr(plain, i - plain)); };
  while (i < text.size()) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
      ++i;
      continue;
    }
    if (byte >= 0x80) {
      std::size_t length = Utf8SequenceLength(text.substr(i));
      if (length != 0) {
        i += length;
        continue;
      }
      flush();
      out += "\xEF\xBF\xBD";  // U+FFFD
    } else {
      flush();
      out.push_back('\\');
      switch (byte) {
        case '"':
        case '\\':
          out.push_back(static_cast<char>(byte));
          break;
        case '\n':
          out.push_back('n');
          break;
        case '\r':
          out.push_back('r');
          break;
        case '\t':
          out.push_back('t');
          break;
        default:
          out += "u00";
          AppendHex(out, text.substr(i, 1));
      }
    }
    plain = ++i;
  }
  flush();
  out.push_back('"');
}

void JsonWriter::Separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_items_.empty()) return;
  if (has_items_.back()) out_.push_back(',');
  has_items_.back() = true;
}

void JsonWriter::BeginObject() {
  Separate();
  out_.push_back('{');
  has_items_.push_back(false);
}

void JsonWriter::EndObject() {
  has_items_.pop_back();
  out_.push_back('}');
}

void JsonWriter::BeginArray() {
  Separate();
  out_.push_back('[');
  has_items_.push_back(false);
}

void JsonWriter::EndArray() {
  has_items_.pop_back();
  out_.push_back(']');
}

void JsonWriter::Key(std::string_view name) {
  Separate();
  AppendJsonString(out_, name);
  out_.push_back(':');
  after_key_ = true;
}

void JsonWriter::String(std::string_view value) {
  Separate();
  AppendJsonString(out_, value);
}

void JsonWriter::Integer(std::int64_t value) {
  Separate();
  AppendInteger(out_, value);
}

void JsonWriter::Unsigned(std::uint64_t value) {
  Separate();
  AppendInteger(out_, value);
}

void JsonWriter::Double(double value) {
  if (!std::isfinite(value)) return Null();
  Separate();
  AppendDouble(out_, value);
}

void JsonWriter::Bool(bool value) {
  Separate();
  out_ += value ? "true" : "false";
}

void JsonWriter::Null() {
  Separate();
  out_ += "null";
}

void JsonWriter::Raw(std::string_view json) {
  Separate();
  out_ += json;
}

}  // namespace dunlin
