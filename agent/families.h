#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/histogram.h"
#include "protocol/base/label_set.h"
#include "protocol/wire/messages.h"

namespace dunlin::agent {

/// Builds metric families one after another. What is not known makes no sample, and a family
/// without samples is not there: absent is not zero.
class Families {
 public:
  /// A counter or gauge whose samples follow. `name` and `help` are literals.
  void BeginCounter(std::string_view name, std::string_view help) { Begin(name, "counter", help); }
  void BeginGauge(std::string_view name, std::string_view help) { Begin(name, "gauge", help); }
  template <typename T>
  void Sample(T value, LabelSet labels = {}) {
    Add(static_cast<double>(value), std::move(labels));
  }

  /// A family of one sample without labels.
  template <typename T>
  void Counter(std::string_view name, std::string_view help, T value) {
    BeginCounter(name, help);
    Sample(value);
  }
  template <typename T>
  void Counter(std::string_view name, std::string_view help, const std::optional<T>& value) {
    if (value) Counter(name, help, *value);
  }
  template <typename T>
  void Gauge(std::string_view name, std::string_view help, T value) {
    BeginGauge(name, help);
    Sample(value);
  }
  template <typename T>
  void Gauge(std::string_view name, std::string_view help, const std::optional<T>& value) {
    if (value) Gauge(name, help, *value);
  }
  /// For counters whose established name breaks the rule that they end in _total.
  void Untyped(std::string_view name, std::string_view help, std::optional<std::uint64_t> value) {
    if (!value) return;
    Begin(name, "untyped", help);
    Sample(*value);
  }
  void AddHistogram(std::string_view name, std::string_view help, const Histogram& histogram);

  std::vector<wire::MetricFamily> Take() &&;

 private:
  void Begin(std::string_view name, std::string_view type, std::string_view help);
  void Add(double value, LabelSet labels, std::string_view suffix = {});

  std::vector<wire::MetricFamily> families_;
};

}  // namespace dunlin::agent
