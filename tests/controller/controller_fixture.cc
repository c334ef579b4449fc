#include "tests/controller/controller_fixture.h"

#include <simdjson.h>

#include <future>

#include "controller/drivers/container_files.h"
#include "controller/drivers/local_driver.h"
#include "controller/drivers/process_identity.h"
#include "controller/http_client.h"
#include "protocol/base/file_system.h"
#include "protocol/base/json_writer.h"
#include "protocol/base/text.h"
#include "tests/support/catch.h"

namespace dunlin::controller {

std::string Document::At(const std::string& pointer) const {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::element found;
  if (parser.parse(text_).get(root) || root.at_pointer(pointer).get(found)) return "null";
  std::string_view text;
  if (!found.get(text)) return std::string(text);
  return simdjson::minify(found);
}

std::size_t Document::Size(const std::string& pointer) const {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array array;
  if (parser.parse(text_).get(root)) return 0;
  bool found = pointer.empty() ? !root.get(array) : !root.at_pointer(pointer).get(array);
  return found ? array.size() : 0;
}

ControllerFixture::ControllerFixture(std::function<void(ControllerOptions&)> change)
    : change_(std::move(change)) {
  Start();
}

ControllerFixture::~ControllerFixture() {
  Stop();
  LocalDriver driver(PosixFileSystem(), {.directory = data() + "/containers",
                                         .agent = DUNLIN_AGENT,
                                         .keeper = DUNLIN_KEEPER,
                                         .collector = ""});
  if (auto ids = driver.List()) {
    for (const ContainerId& id : *ids) (void)driver.Remove(id);
  }
}

ControllerOptions ControllerFixture::options() const {
  ControllerOptions options;
  options.data = data();
  options.http = {"127.0.0.1", 0};
  options.agent = DUNLIN_AGENT;
  options.keeper = DUNLIN_KEEPER;
  options.conductor.limits.poll = 20ms;
  options.conductor.retry = 50ms;
  options.watcher.interval = 50ms;
  options.watcher.sweep_interval = 50ms;
  if (change_) change_(options);
  return options;
}

void ControllerFixture::Start() {
  loop_ = std::make_unique<net::Loop>();
  auto started = Controller::Start(*loop_, options(), SystemClock());
  if (!started) FAIL(started.error().message());
  controller_ = std::move(*started);
  address_ = controller_->local_address().ToString();
  thread_ = std::thread([this] {
    loop_->Run();
    controller_.reset();  // on the loop's thread, as everything of it
  });
}

void ControllerFixture::Stop() {
  if (!thread_.joinable()) return;
  loop_->Post([loop = loop_.get()] { loop->Stop(); });
  thread_.join();
  loop_.reset();
}

http::Response ControllerFixture::Ask(std::string method, const std::string& target,
                                      std::string body,
                                      std::vector<std::pair<std::string, std::string>> headers) {
  ClientRequest request;
  request.method = std::move(method);
  request.url = Join("http://", address_, target);
  request.headers = std::move(headers);
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(body);
  request.timeout = 60s;
  auto response = Send(request);
  if (!response) FAIL(response.error().message());
  return std::move(*response);
}

Document ControllerFixture::Get(const std::string& target) {
  return Document(Ask("GET", target).body);
}

std::string ControllerFixture::Script(const std::string& script, const std::string& min_healthy) {
  std::string text;
  JsonWriter out(text);
  out.BeginObject();
  out.Key("command");
  out.BeginArray();
  for (const std::string& argument : {std::string("sh"), std::string("-c"), script}) {
    out.String(argument);
  }
  out.EndArray();
  out.Key("readiness");
  out.BeginObject();
  out.Field("min_healthy", min_healthy);
  out.EndObject();
  out.EndObject();
  return text;
}

Document ControllerFixture::Deploy(const std::string& service, const std::string& spec) {
  auto response = Ask("PUT", Join("/deploys/", service, "?wait=60"), spec);
  INFO(response.body);
  REQUIRE(response.status == 200);
  return Document(std::move(response.body));
}

Document ControllerFixture::AwaitSettled(const std::string& deployment) {
  REQUIRE(Eventually([&] { return Get("/deployments/" + deployment).At("/settled") == "true"; }));
  return Get("/deployments/" + deployment);
}

bool ControllerFixture::Eventually(const std::function<bool()>& condition) {
  auto give_up = std::chrono::steady_clock::now() + 60s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

pid_t ControllerFixture::AgentOf(const std::string& container) {
  auto text =
      ReadFile(PosixFileSystem(), Join(data(), "/containers/", container, "/", files::kAgent));
  if (!text) return 0;
  auto process = ParseProcessIdentity(*text);
  return process && IsRunning(*process) ? process->pid : 0;
}

bool ControllerFixture::Runs(const std::string& container) { return AgentOf(container) != 0; }

std::string ControllerFixture::WorkFile(const std::string& container,
                                        const std::string& name) const {
  return Join(data(), "/containers/", container, "/work/", name);
}

}  // namespace dunlin::controller
