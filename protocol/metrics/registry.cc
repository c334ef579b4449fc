#include "protocol/metrics/registry.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <exception>

#include "protocol/base/check.h"
#include "protocol/base/text.h"

namespace dunlin::metrics {
namespace {

std::string_view TypeName(prometheus::MetricType type) {
  switch (type) {
    case prometheus::MetricType::Counter:
      return "counter";
    case prometheus::MetricType::Gauge:
      return "gauge";
    case prometheus::MetricType::Summary:
      return "summary";
    case prometheus::MetricType::Histogram:
      return "histogram";
    case prometheus::MetricType::Untyped:
      return "untyped";
  }
  return "untyped";
}

// prometheus-cpp throws on an invalid or doubly registered name.
template <typename Builder>
auto& RegisterFamily(Builder builder, const std::string& name, const std::string& help,
                     prometheus::Registry& registry) {
  try {
    return builder.Name(name).Help(help).Register(registry);
  } catch (const std::exception&) {
    Check(false, "a metric name is malformed or registered twice");
    std::terminate();
  }
}

}  // namespace

void Snapshot::Gauge(std::string_view name, std::string_view help, double value,
                     const Labels& labels) {
  Add(prometheus::MetricType::Gauge, name, help, value, labels);
}

void Snapshot::Counter(std::string_view name, std::string_view help, double value,
                       const Labels& labels) {
  Add(prometheus::MetricType::Counter, name, help, value, labels);
}

void Snapshot::Add(prometheus::MetricType type, std::string_view name, std::string_view help,
                   double value, const Labels& labels) {
  auto family = std::find_if(families_.begin(), families_.end(),
                             [&](const prometheus::MetricFamily& f) { return f.name == name; });
  if (family == families_.end()) {
    family = families_.insert(family, prometheus::MetricFamily{});
    family->name = name;
    family->help = help;
    family->type = type;
  }
  prometheus::ClientMetric& metric = family->metric.emplace_back();
  for (const auto& [label, text] : labels) metric.label.push_back({label, text});
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
}

Registry::Registry() : registry_(prometheus::Registry::InsertBehavior::Throw) {}

prometheus::Family<prometheus::Counter>& Registry::Counter(const std::string& name,
                                                           const std::string& help) {
  return RegisterFamily(prometheus::BuildCounter(), name, help, registry_);
}

prometheus::Family<prometheus::Gauge>& Registry::Gauge(const std::string& name,
                                                       const std::string& help) {
  return RegisterFamily(prometheus::BuildGauge(), name, help, registry_);
}

prometheus::Family<prometheus::Histogram>& Registry::Histogram(const std::string& name,
                                                               const std::string& help) {
  return RegisterFamily(prometheus::BuildHistogram(), name, help, registry_);
}

void Registry::OnScrape(std::function<void(Snapshot&)> fill) {
  std::lock_guard lock(mutex_);
  on_scrape_.push_back(std::move(fill));
}

std::vector<prometheus::MetricFamily> Registry::Collect() const {
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  Snapshot snapshot;
  {
    std::lock_guard lock(mutex_);
    for (const auto& fill : on_scrape_) fill(snapshot);
  }
  std::move(snapshot.families_.begin(), snapshot.families_.end(), std::back_inserter(families));
  std::sort(families.begin(), families.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return families;
}

std::string Registry::Exposition() const {
  return prometheus::TextSerializer().Serialize(Collect());
}

http::Response Registry::Answer() const {
  http::Response response = http::Response::Text(200, Exposition());
  response.headers.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  return response;
}

std::vector<std::string> Registry::Families() const {
  std::vector<std::string> names;
  for (const auto& family : Collect())
    names.push_back(Join(family.name, ' ', TypeName(family.type)));
  return names;
}

prometheus::Histogram::BucketBoundaries LatencyBuckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}

}  // namespace dunlin::metrics
