#include "collector/store/lines/lines_check.h"

#include <numeric>
#include <string>
#include <vector>

#include "collector/store/lines/lines_reader.h"

namespace dunlin::store {
namespace {

/// All values, as they were written.
class WholeValues final : public ValueBytes {
 public:
  explicit WholeValues(std::string_view bytes) : bytes_(bytes) {}

  Result<std::string_view> Read(std::uint64_t offset, std::uint64_t size) override {
    if (offset > bytes_.size() || size > bytes_.size() - offset) {
      return Error(ErrorCode::kCorruption, "values are missing");
    }
    return bytes_.substr(offset, size);
  }

 private:
  std::string_view bytes_;
};

}  // namespace

bool ComesBack(const EncodedLines& columns, const TemplateDictionary& dictionary,
               std::uint32_t rows, std::string_view text) {
  // The templates of these groups alone, numbered anew.
  std::vector<std::string> templates;
  templates.reserve(columns.templates.size());
  for (std::uint32_t number : columns.templates) {
    if (number >= dictionary.size()) return false;
    templates.emplace_back(dictionary[number]);
  }
  std::vector<std::uint32_t> numbers(templates.size());
  std::iota(numbers.begin(), numbers.end(), 0U);
  WholeValues values(columns.values);
  auto reader = LinesReader::Open(columns.layout, numbers, columns.groups, rows, templates, values);
  if (!reader) return false;
  std::string back;
  std::vector<std::uint32_t> ends;
  return reader->AppendLines(text.size(), back, ends) && back == text;
}

}  // namespace dunlin::store
