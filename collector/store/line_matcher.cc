#include "collector/store/line_matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

/// When more than one line in so many matches, searching from match to match costs more than
/// looking at each line.
constexpr std::uint32_t kDenseOneIn = 4;
constexpr std::uint32_t kDensitySample = 256;

/// A buffer search must find every match inside a line. Patterns that can tell a line in a buffer
/// from a line alone are searched line by line: \A and \z, and flag groups, which may turn the
/// meaning of ^, $ and . back.
bool SearchableInBuffer(std::string_view pattern) {
  if (pattern.find("\\A") != std::string_view::npos ||
      pattern.find("\\z") != std::string_view::npos ||
      pattern.find("\\Q") != std::string_view::npos) {
    return false;
  }
  for (std::size_t at = pattern.find("(?"); at != std::string_view::npos;
       at = pattern.find("(?", at + 2)) {
    std::size_t flags = at + 2;
    while (flags < pattern.size() && pattern[flags] == 'i') ++flags;
    if (flags < pattern.size() && (pattern[flags] == ':' || pattern[flags] == ')')) continue;
    if (pattern.substr(flags).starts_with("P<")) continue;
    return false;
  }
  return true;
}

}  // namespace

class LineMatcher::Lines {
 public:
  Lines(std::string_view text, bool newline_inside,
        const std::function<const std::vector<std::uint32_t>&()>& ends)
      : text_(text), newline_inside_(newline_inside), load_(&ends) {}
  explicit Lines(const RowColumns& columns)
      : text_(columns.text),
        newline_inside_(columns.newline_inside),
        ends_(columns.ends),
        rows_(columns.rows) {}

  std::string_view text() const { return text_; }
  bool newline_inside() const { return newline_inside_; }
  std::uint32_t rows() {
    Load();
    return rows_;
  }
  std::uint32_t Start(std::uint32_t row) {
    Load();
    return row == 0 ? 0 : ends_[row - 1] + 1;
  }
  std::uint32_t End(std::uint32_t row) {
    Load();
    return ends_[row];
  }
  std::string_view Line(std::uint32_t row) {
    return text_.substr(Start(row), End(row) - Start(row));
  }
  /// The row that holds the byte at `offset`, which is at or after the start of row `from`.
  std::uint32_t RowAt(std::uint64_t offset, std::uint32_t from) {
    Load();
    std::uint32_t step = 1;
    std::uint32_t high = from;
    while (high < rows_ && ends_[high] < offset) {
      from = high + 1;
      high = std::min(rows_, high + step);
      step *= 2;
    }
    return static_cast<std::uint32_t>(
        std::lower_bound(ends_ + from, ends_ + std::min(high + 1, rows_), offset) - ends_);
  }

 private:
  void Load() {
    if (ends_ != nullptr || rows_ != 0 || load_ == nullptr) return;
    const std::vector<std::uint32_t>& ends = (*load_)();
    ends_ = ends.data();
    rows_ = static_cast<std::uint32_t>(ends.size());
  }

  std::string_view text_;
  bool newline_inside_;
  const std::function<const std::vector<std::uint32_t>&()>* load_ = nullptr;
  const std::uint32_t* ends_ = nullptr;
  std::uint32_t rows_ = 0;
};

/// One filter, without its negation.
class LineMatcher::Condition {
 public:
  explicit Condition(bool negated) : negated_(negated) {}
  virtual ~Condition() = default;
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  bool negated() const { return negated_; }
  virtual bool Holds(std::string_view line) const = 0;
  /// Appends the rows that hold the pattern, in order.
  virtual void FindRows(Lines& lines, std::vector<std::uint32_t>& rows) const = 0;
  /// How much it is worth to run this one first.
  virtual std::size_t weight() const = 0;

 protected:
  void FindLineByLine(Lines& lines, std::uint32_t from, std::vector<std::uint32_t>& rows) const {
    for (std::uint32_t row = from; row < lines.rows(); ++row) {
      if (Holds(lines.Line(row))) rows.push_back(row);
    }
  }

 private:
  bool negated_;
};

class LineMatcher::Literal final : public Condition {
 public:
  Literal(std::string text, bool negated)
      : Condition(negated), text_(std::move(text)), spans_lines_(text_.find('\n') != text_.npos) {}

  bool Holds(std::string_view line) const override {
    return ::memmem(line.data(), line.size(), text_.data(), text_.size()) != nullptr;
  }

  void FindRows(Lines& lines, std::vector<std::uint32_t>& rows) const override {
    std::string_view buffer = lines.text();
    std::uint64_t at = 0;
    std::uint32_t row = 0;
    while (at < buffer.size()) {
      const void* found =
          ::memmem(buffer.data() + at, buffer.size() - at, text_.data(), text_.size());
      if (found == nullptr) return;
      at = static_cast<std::uint64_t>(static_cast<const char*>(found) - buffer.data());
      row = lines.RowAt(at, row);
      if (spans_lines_ && at + text_.size() > lines.End(row)) {
        ++at;  // begins in one line and ends in another
        continue;
      }
      rows.push_back(row);
      at = lines.End(row) + std::uint64_t{1};
      ++row;
    }
  }

  std::size_t weight() const override { return 1000 + std::min<std::size_t>(text_.size(), 1000); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool spans_lines_;
};

class LineMatcher::Regex final : public Condition {
 public:
  Regex(const std::string& pattern, bool negated)
      : Condition(negated), regex_(pattern, RE2::Quiet) {
    if (!SearchableInBuffer(pattern)) return;
    // Lines are searched in a buffer: ^ and $ hold at every line, and no match crosses a newline.
    RE2::Options options(RE2::Quiet);
    options.set_never_nl(true);
    buffer_regex_.emplace("(?m)" + pattern, options);
    if (!buffer_regex_->ok()) buffer_regex_.reset();
  }

  bool ok() const { return regex_.ok(); }
  const std::string& error() const { return regex_.error(); }

  bool Holds(std::string_view line) const override {
    re2::StringPiece text(line.data(), line.size());
    return regex_.Match(text, 0, line.size(), RE2::UNANCHORED, nullptr, 0);
  }

  void FindRows(Lines& lines, std::vector<std::uint32_t>& rows) const override {
    if (!buffer_regex_ || lines.newline_inside()) return FindLineByLine(lines, 0, rows);
    std::string_view buffer = lines.text();
    re2::StringPiece text(buffer.data(), buffer.size());
    re2::StringPiece match;
    std::size_t before = rows.size();
    std::uint64_t at = 0;
    std::uint32_t row = 0;
    while (at < buffer.size()) {
      if (!buffer_regex_->Match(text, at, buffer.size(), RE2::UNANCHORED, &match, 1)) return;
      at = static_cast<std::uint64_t>(match.data() - buffer.data());
      if (at >= buffer.size()) return;  // an empty match after the last newline
      row = lines.RowAt(at, row);
      rows.push_back(row);
      at = lines.End(row) + std::uint64_t{1};
      ++row;
      if (row >= kDensitySample && (rows.size() - before) * kDenseOneIn > row) {
        return FindLineByLine(lines, row, rows);
      }
    }
  }

  std::size_t weight() const override { return 100; }

 private:
  RE2 regex_;
  std::optional<RE2> buffer_regex_;
};

LineMatcher::LineMatcher() = default;
LineMatcher::~LineMatcher() = default;

Result<std::shared_ptr<const LineMatcher>> LineMatcher::Create(
    const std::vector<LineFilter>& filters) {
  std::shared_ptr<LineMatcher> matcher(new LineMatcher());
  for (const LineFilter& filter : filters) {
    const std::size_t before = matcher->conditions_.size();
    switch (filter.kind) {
      case LineFilter::Kind::kContains:
        if (filter.pattern.empty() && !filter.negated) break;  // every line contains nothing
        matcher->conditions_.push_back(std::make_unique<Literal>(filter.pattern, filter.negated));
        break;
      case LineFilter::Kind::kRegex: {
        auto regex = std::make_unique<Regex>(filter.pattern, filter.negated);
        if (!regex->ok()) {
          return Error(
              ErrorCode::kInvalidArgument,
              Join("\"", filter.pattern, "\" is not a regular expression: ", regex->error()));
        }
        matcher->conditions_.push_back(std::move(regex));
        break;
      }
    }
    if (matcher->conditions_.size() == before) continue;
    matcher->literals_.push_back(LiteralsOf(filter));
    if (filter.negated) continue;
    for (const auto& alternative : matcher->literals_.back().alternatives) {
      for (const auto& literal : alternative) {
        matcher->knows_grams_ = matcher->knows_grams_ || !literal.grams.empty();
      }
    }
  }
  for (const auto& condition : matcher->conditions_) {
    const Condition* best = matcher->driver_;
    auto worth = [](const Condition& c) { return c.weight() + (c.negated() ? 0 : 10'000); };
    if (best == nullptr || worth(*condition) > worth(*best)) matcher->driver_ = condition.get();
  }
  return std::shared_ptr<const LineMatcher>(std::move(matcher));
}

bool LineMatcher::negated(std::size_t filter) const { return conditions_[filter]->negated(); }

bool LineMatcher::MatchesExcept(const Condition* done, std::string_view line) const {
  return std::all_of(conditions_.begin(), conditions_.end(), [&](const auto& condition) {
    return condition.get() == done || condition->Holds(line) != condition->negated();
  });
}

bool LineMatcher::Matches(std::string_view line) const { return MatchesExcept(nullptr, line); }

void LineMatcher::SelectIn(Lines& lines, std::vector<std::uint32_t>& rows) const {
  if (driver_ == nullptr) {
    for (std::uint32_t row = 0; row < lines.rows(); ++row) rows.push_back(row);
    return;
  }
  std::size_t before = rows.size();
  driver_->FindRows(lines, rows);
  if (driver_->negated()) {
    std::vector<std::uint32_t> found(rows.begin() + static_cast<std::ptrdiff_t>(before),
                                     rows.end());
    rows.resize(before);
    auto next = found.begin();
    for (std::uint32_t row = 0; row < lines.rows(); ++row) {
      if (next != found.end() && *next == row) {
        ++next;
      } else {
        rows.push_back(row);
      }
    }
  }
  if (conditions_.size() == 1) return;
  auto first = rows.begin() + static_cast<std::ptrdiff_t>(before);
  rows.erase(
      std::remove_if(first, rows.end(),
                     [&](std::uint32_t row) { return !MatchesExcept(driver_, lines.Line(row)); }),
      rows.end());
}

void LineMatcher::Select(std::string_view text, bool newline_inside,
                         const std::function<const std::vector<std::uint32_t>&()>& ends,
                         std::vector<std::uint32_t>& rows) const {
  Lines lines(text, newline_inside, ends);
  SelectIn(lines, rows);
}

void LineMatcher::Select(const RowColumns& columns, std::vector<std::uint32_t>& rows) const {
  Lines lines(columns);
  SelectIn(lines, rows);
}

}  // namespace dunlin::store
