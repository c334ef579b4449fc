#include "protocol/wire/exposition.h"

#include "protocol/base/text.h"

namespace dunlin::wire {
namespace {

void AppendEscaped(std::string& out, std::string_view text, bool in_quotes) {
  for (char c : text) {
    if (c == '\\' || (c == '"' && in_quotes)) {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
}

void AppendLabels(std::string& out, const LabelSet& labels) {
  if (labels.empty()) return;
  char separator = '{';
  for (const auto& [name, value] : labels) {
    out.push_back(separator);
    out += name;
    out += "=\"";
    AppendEscaped(out, value, /*in_quotes=*/true);
    out.push_back('"');
    separator = ',';
  }
  out.push_back('}');
}

LabelSet Merge(const LabelSet& own, const LabelSet& extra) {
  LabelSet merged = extra;
  for (const auto& [name, value] : own) {
    merged.Set(extra.Has(name) ? "exported_" + name : name, value);
  }
  return merged;
}

}  // namespace

void AppendExposition(std::string& out, const std::vector<MetricFamily>& families,
                      const LabelSet& extra) {
  for (const MetricFamily& family : families) {
    if (!family.help.empty()) {
      out += Join("# HELP ", family.name, " ");
      AppendEscaped(out, family.help, /*in_quotes=*/false);
      out.push_back('\n');
    }
    out += Join("# TYPE ", family.name, " ", family.type.empty() ? "untyped" : family.type, "\n");
    for (const MetricSample& sample : family.samples) {
      out += family.name;
      out += sample.suffix;
      AppendLabels(out, extra.empty() ? sample.labels : Merge(sample.labels, extra));
      out.push_back(' ');
      AppendDouble(out, sample.value);
      out.push_back('\n');
    }
  }
}

}  // namespace dunlin::wire
