#include "agent/probe_excerpt.h"

namespace dunlin::agent {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\v\f";
constexpr std::string_view kLineEnds = "\r\n";

}  // namespace

std::string_view FirstLineOf(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  text.remove_prefix(begin);
  text = text.substr(0, text.find_first_of(kLineEnds));
  text = text.substr(0, text.find_last_not_of(kBlanks) + 1);
  return text.substr(0, kMaxExcerptBytes);
}

std::string_view LastLineOf(std::string_view text) {
  const std::size_t last = text.find_last_not_of(kBlanks);
  if (last == std::string_view::npos) return {};
  text = text.substr(0, last + 1);
  // Without a line end before it, npos + 1 is the beginning.
  return FirstLineOf(text.substr(text.find_last_of(kLineEnds) + 1));
}

}  // namespace dunlin::agent
