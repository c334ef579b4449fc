#include "protocol/base/base64.h"

#include <array>
#include <cstdint>

namespace dunlin {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoDigit = 0xFF;

constexpr std::array<std::uint8_t, 256> kValues = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kDigits.size(); ++i) {
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

}  // namespace

void AppendBase64(std::string& out, std::string_view bytes) {
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    std::size_t left = bytes.size() - i;
    out.push_back(kDigits[group >> 18]);
    out.push_back(kDigits[group >> 12 & 63]);
    out.push_back(left > 1 ? kDigits[group >> 6 & 63] : '=');
    out.push_back(left > 2 ? kDigits[group & 63] : '=');
  }
}

std::optional<std::string> ParseBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::uint8_t value = 0;
    if (i < text.size() - padding) {
      value = kValues[static_cast<unsigned char>(text[i])];
      if (value == kNoDigit) return std::nullopt;
    }
    bits = bits << 6 | value;
    if (i % 4 == 3) {
      out.push_back(static_cast<char>(bits >> 16 & 0xFF));
      out.push_back(static_cast<char>(bits >> 8 & 0xFF));
      out.push_back(static_cast<char>(bits & 0xFF));
      bits = 0;
    }
  }
  // What the padding stands for has to be zero, so that each text has one spelling.
  for (std::size_t i = 0; i < padding; ++i) out.pop_back();
  std::string canonical;
  AppendBase64(canonical, out);
  if (canonical != text) return std::nullopt;
  return out;
}

}  // namespace dunlin
