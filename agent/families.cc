#include "agent/families.h"

#include <cstdint>

#include "protocol/base/text.h"

namespace dunlin::agent {

void Families::AddHistogram(std::string_view name, std::string_view help,
                            const Histogram& histogram) {
  Begin(name, "histogram", help);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) {
    below += histogram.count(i);
    std::string bound = "+Inf";
    if (i < histogram.bounds().size()) {
      bound.clear();
      AppendDouble(bound, histogram.bounds()[i]);
    }
    Add(static_cast<double>(below), {{"le", std::move(bound)}}, "_bucket");
  }
  Add(histogram.sum(), {}, "_sum");
  Add(static_cast<double>(below), {}, "_count");
}

std::vector<wire::MetricFamily> Families::Take() && {
  std::erase_if(families_, [](const wire::MetricFamily& f) { return f.samples.empty(); });
  return std::move(families_);
}

void Families::Begin(std::string_view name, std::string_view type, std::string_view help) {
  families_.push_back({std::string(name), std::string(help), std::string(type), {}});
}

void Families::Add(double value, LabelSet labels, std::string_view suffix) {
  families_.back().samples.push_back({std::move(labels), value, std::string(suffix)});
}

}  // namespace dunlin::agent
