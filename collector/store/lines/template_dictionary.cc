#include "collector/store/lines/template_dictionary.h"

#include "collector/store/lines/line_cutter.h"
#include "protocol/base/coding.h"

namespace dunlin::store {

std::uint32_t TemplateDictionary::Add(std::string_view text) {
  auto found = index_.find(text);
  if (found != index_.end()) return found->second;
  const auto number = static_cast<std::uint32_t>(texts_.size());
  index_.emplace(texts_.emplace_back(text), number);
  return number;
}

std::string TemplateDictionary::Encode() const {
  std::string bytes;
  AppendVarint(bytes, texts_.size());
  for (const std::string& text : texts_) AppendLengthPrefixed(bytes, text);
  return bytes;
}

std::optional<std::vector<std::string>> TemplateDictionary::Decode(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::uint64_t count = reader.ReadVarint().value_or(0);
  if (reader.failed() || count > bytes.size()) return {};
  std::vector<std::string> texts;
  texts.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto text = reader.ReadLengthPrefixed();
    if (!text || !SlotsOf(*text)) return {};
    texts.emplace_back(*text);
  }
  if (!reader.empty()) return {};
  return texts;
}

std::optional<std::uint32_t> SlotsOf(std::string_view text) {
  std::uint32_t slots = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == kTextSlot && i + 1 != text.size()) return {};
    slots += text[i] == kValueSlot || text[i] == kTextSlot;
  }
  return slots;
}

}  // namespace dunlin::store
