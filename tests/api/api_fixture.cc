#include "tests/api/api_fixture.h"

#include "collector/ingest/batch_rows.h"
#include "tests/support/catch.h"
#include "tests/support/loop_runner.h"

namespace dunlin::api {
namespace {

std::unique_ptr<store::Store> OpenStore(FileSystem& files, const Clock& clock,
                                        store::StoreOptions options) {
  auto store = store::Store::Open(files, clock, std::move(options),
                                  std::make_shared<ingest::IngestPayloadDecoder>());
  REQUIRE(store);
  return *std::move(store);
}

}  // namespace

store::StoreOptions SmallStore() {
  store::StoreOptions options;
  options.data_dir = "/data";
  options.min_free_bytes = 0;
  options.wal_file_bytes = 1_MiB;
  return options;
}

ApiFixture::ApiFixture(LokiApiOptions options, store::StoreOptions store_options)
    : metrics_(registry_),
      store_(OpenStore(files_, clock_, std::move(store_options))),
      query_workers_(loop_, 2),
      ingest_workers_(loop_, 1),
      api_(options, {loop_, query_workers_, ingest_workers_, *store_, metrics_, clock_}) {
  api_.AddRoutes(router_);
}

http::Request ApiFixture::RequestOf(std::string_view method, std::string_view target,
                                    const HeaderFields& headers, std::string body) const {
  http::Request request;
  request.method = method;
  request.target = target;
  request.path = http::DecodePercent(target.substr(0, target.find('?')), /*plus_is_space=*/false);
  for (const auto& [name, value] : headers) request.headers.Add(name, value);
  request.body = std::move(body);
  return request;
}

std::shared_ptr<std::vector<http::Response>> ApiFixture::Send(http::Request request) {
  auto answers = std::make_shared<std::vector<http::Response>>();
  router_.Route(
      std::move(request),
      [answers](http::Response response) { answers->push_back(std::move(response)); }, client_gone);
  return answers;
}

http::Response ApiFixture::Ask(std::string_view method, std::string_view target,
                               const HeaderFields& headers, std::string body) {
  auto answers = Send(RequestOf(method, target, headers, std::move(body)));
  testing::RunUntil(loop_, [&] { return !answers->empty(); });
  return answers->front();
}

http::Response ApiFixture::Push(std::string body) {
  return Ask("POST", "/loki/api/v1/push", {{"Content-Type", "application/json"}}, std::move(body));
}

std::string WithoutStats(std::string body) {
  constexpr std::string_view kStats = "\"stats\":{";
  std::size_t begin = body.find(kStats);
  if (begin == std::string::npos) return body;
  std::size_t end = begin + kStats.size();
  for (int depth = 1; depth > 0 && end < body.size(); ++end) {
    if (body[end] == '{') ++depth;
    if (body[end] == '}') --depth;
  }
  return body.replace(begin + kStats.size(), end - begin - kStats.size(), "}");
}

}  // namespace dunlin::api
