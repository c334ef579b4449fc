#include "collector/store/lines/shared_prefixes.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "collector/store/lines/line_cutter.h"

namespace dunlin::store {
namespace {

/// With fewer lines there is nothing to gain.
constexpr std::uint64_t kFewestRows = 256;

/// So many of ten lines have to go on alike.
constexpr std::uint64_t kTenthsAlike = 9;

/// Templates that share a prefix of so many slots.
struct Branch {
  std::uint32_t slots = 0;
  std::uint64_t rows = 0;
  std::vector<std::uint32_t> templates;
};

std::string_view PrefixOf(std::string_view text, std::uint32_t slots) {
  std::size_t end = 0;
  for (; slots > 0; --slots) end = text.find(kValueSlot, end) + 1;
  return text.substr(0, end);
}

std::vector<Branch> Split(std::span<const TemplateUse> all,
                          const std::vector<std::uint32_t>& templates, std::uint32_t slots) {
  std::vector<Branch> branches;
  std::unordered_map<std::string_view, std::size_t> index;
  for (std::uint32_t number : templates) {
    const TemplateUse& use = all[number];
    if (use.value_slots < slots) continue;
    auto [at, added] = index.try_emplace(PrefixOf(use.text, slots), branches.size());
    if (added) branches.push_back({slots, 0, {}});
    Branch& branch = branches[at->second];
    branch.rows += use.rows;
    branch.templates.push_back(number);
  }
  return branches;
}

}  // namespace

SharedPrefixes FindSharedPrefixes(std::span<const TemplateUse> templates) {
  SharedPrefixes found;
  found.of_template.resize(templates.size());
  std::vector<std::uint32_t> all(templates.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  std::vector<Branch> open = Split(templates, all, 1);
  while (!open.empty()) {
    Branch branch = std::move(open.back());
    open.pop_back();
    if (branch.rows < kFewestRows) continue;
    std::vector<Branch> longer = Split(templates, branch.templates, branch.slots + 1);
    const bool goes_on = std::any_of(longer.begin(), longer.end(), [&](const Branch& next) {
      return next.rows * 10 >= branch.rows * kTenthsAlike;
    });
    if (goes_on) {
      std::move(longer.begin(), longer.end(), std::back_inserter(open));
      continue;
    }
    found.prefixes.push_back(
        {PrefixOf(templates[branch.templates[0]].text, branch.slots), branch.slots});
    for (std::uint32_t number : branch.templates) {
      found.of_template[number] = static_cast<std::uint32_t>(found.prefixes.size());
    }
  }
  return found;
}

}  // namespace dunlin::store
