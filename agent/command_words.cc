#include "agent/command_words.h"

#include <utility>

namespace dunlin::agent {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n'; }

}  // namespace

Result<std::vector<std::string>> SplitCommandWords(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;  // an empty pair of quotes is a word, too
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quote != '\'') {
      if (++i == text.size()) {
        return Error(ErrorCode::kInvalidArgument, "a backslash at the end keeps nothing");
      }
      word.push_back(text[i]);
      in_word = true;
    } else if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        word.push_back(c);
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (!IsBlank(c)) {
      word.push_back(c);
      in_word = true;
    } else if (std::exchange(in_word, false)) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (quote != '\0') return Error(ErrorCode::kInvalidArgument, "a quote is not closed");
  if (in_word) words.push_back(std::move(word));
  if (words.empty() || words[0].empty()) {
    return Error(ErrorCode::kInvalidArgument, "must be a command");
  }
  return words;
}

}  // namespace dunlin::agent
