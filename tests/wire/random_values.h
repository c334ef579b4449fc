#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "protocol/base/label_set.h"
#include "protocol/base/random.h"

namespace dunlin::wire {

/// Repeatable values for comparing two codecs: every size of number and text.
class RandomValues {
 public:
  explicit RandomValues(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t Below(std::uint64_t bound) { return engine_() % bound; }
  bool Flip() { return Below(2) == 0; }

  /// As many small numbers as large ones; zero is among them.
  std::uint64_t Number64() { return engine_() >> Below(64) >> Below(2); }
  std::uint32_t Number32() { return static_cast<std::uint32_t>(Number64() & 0xFFFFFFFF); }

  /// Any bytes but a newline.
  std::string Line(std::size_t max_size) {
    std::string line(Below(max_size + 1), '\0');
    for (char& c : line) {
      c = static_cast<char>(Below(256));
      if (c == '\n') c = ' ';
    }
    return line;
  }

  /// Valid UTF-8, which the generated classes insist on; sometimes empty.
  std::string Text() {
    static constexpr const char* kPieces[] = {"a", "Z", "0", "\"", "\\", "\n", "é", "日", "😀"};
    std::string text;
    for (std::uint64_t i = Below(12); i > 0; --i) text += kPieces[Below(std::size(kPieces))];
    return text;
  }

  std::string Name() {
    std::string name = "n";
    for (std::uint64_t i = Below(6); i > 0; --i) name.push_back("abc_019"[Below(7)]);
    return name;
  }

  RandomId Id() {
    RandomId id;
    for (auto& byte : id) byte = static_cast<std::uint8_t>(Below(256));
    return id;
  }

  LabelSet Labels() {
    LabelSet labels;
    for (std::uint64_t i = Below(4); i > 0; --i) labels.Set(Name(), Text());
    return labels;
  }

 private:
  std::mt19937_64 engine_;
};

inline std::string BytesOf(const RandomId& id) { return {id.begin(), id.end()}; }

}  // namespace dunlin::wire
