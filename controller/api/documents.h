#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/state/records.h"
#include "protocol/base/json_writer.h"

namespace dunlin::controller {

/// The JSON documents of the REST API, field by field as docs/controller.md lists them.

void WriteDeployment(JsonWriter& out, const DeploymentRecord& deployment);
void WriteContainer(JsonWriter& out, const ContainerRecord& container);

std::string DeploymentDocument(const DeploymentRecord& deployment);
/// {"deployments": [...], "next": cursor or null}; `more`: the last one is not the oldest.
std::string HistoryDocument(const std::vector<DeploymentRecord>& deployments, bool more);
std::string EventsDocument(const std::vector<EventRecord>& events);
std::string ServicesDocument(const std::vector<ServiceRecord>& services);
std::string ServiceDocument(const ServiceRecord& service);
std::string ContainersDocument(const std::vector<ContainerRecord>& containers);
std::string ContainerDocument(const ContainerRecord& container);

/// Prometheus's http_sd list: one group per container that was started and not removed.
std::string TargetsDocument(const std::vector<ContainerRecord>& containers,
                            std::uint16_t agent_port, bool agents_use_tls);

}  // namespace dunlin::controller
