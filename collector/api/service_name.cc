#include "collector/api/service_name.h"

namespace dunlin::api {

std::string_view ServiceNameOf(const LabelSet& stream) {
  for (std::string_view name :
       {kServiceName, std::string_view("service"), std::string_view("app"),
        std::string_view("application"), std::string_view("app_name"), std::string_view("name"),
        std::string_view("app_kubernetes_io_name"), std::string_view("container"),
        std::string_view("container_name"), std::string_view("k8s_container_name"),
        std::string_view("component"), std::string_view("workload"), std::string_view("job"),
        std::string_view("k8s_job_name")}) {
    std::string_view value = stream.Get(name);
    if (!value.empty()) return value;
  }
  return "unknown_service";
}

LabelSet WithServiceName(const LabelSet& stream) {
  LabelSet labels = stream;
  labels.Set(kServiceName, ServiceNameOf(stream));
  return labels;
}

std::string_view LabelOf(const LabelSet& stream, std::string_view name) {
  return name == kServiceName ? ServiceNameOf(stream) : stream.Get(name);
}

}  // namespace dunlin::api
