#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/http/message.h"

namespace dunlin::metrics {

using Labels = std::map<std::string, std::string>;

/// Families whose values are read at the moment of a scrape, from numbers kept elsewhere.
class Snapshot {
 public:
  void Gauge(std::string_view name, std::string_view help, double value, const Labels& labels = {});
  /// `value` never falls during the life of the process.
  void Counter(std::string_view name, std::string_view help, double value,
               const Labels& labels = {});

 private:
  friend class Registry;
  void Add(prometheus::MetricType type, std::string_view name, std::string_view help, double value,
           const Labels& labels);

  std::vector<prometheus::MetricFamily> families_;
};

/// What one program exports at /metrics. Any thread. Names are constants of the program, so a bad
/// or repeated one is a bug and aborts.
class Registry {
 public:
  Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  prometheus::Family<prometheus::Counter>& Counter(const std::string& name,
                                                   const std::string& help);
  prometheus::Family<prometheus::Gauge>& Gauge(const std::string& name, const std::string& help);
  prometheus::Family<prometheus::Histogram>& Histogram(const std::string& name,
                                                       const std::string& help);

  /// `fill` runs at each scrape, on the scraping thread; it must not block.
  void OnScrape(std::function<void(Snapshot&)> fill);

  /// The whole page in the Prometheus text format 0.0.4.
  std::string Exposition() const;
  /// The same as an answer to GET /metrics.
  http::Response Answer() const;
  /// Every name and kind on the page, sorted, for tests and documents: "name kind".
  std::vector<std::string> Families() const;

 private:
  std::vector<prometheus::MetricFamily> Collect() const;

  prometheus::Registry registry_;
  mutable std::mutex mutex_;  // of the next
  std::vector<std::function<void(Snapshot&)>> on_scrape_;
};

/// One set of bounds for every latency, so that histograms can be compared and added.
prometheus::Histogram::BucketBoundaries LatencyBuckets();

/// Adds dunlin_`program`_build_info (constant 1) and process_* as Prometheus's own clients name
/// them.
void AddProcessMetrics(Registry& registry, std::string_view program);

}  // namespace dunlin::metrics
