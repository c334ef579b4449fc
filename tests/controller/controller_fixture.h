#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "controller/controller.h"
#include "protocol/http/message.h"
#include "tests/support/temp_dir.h"

namespace dunlin::controller {

/// A JSON document with short ways to its values; what is not there reads as "null".
class Document {
 public:
  explicit Document(std::string text) : text_(std::move(text)) {}

  /// The value at a JSON pointer such as "/reason/code": strings bare, other values as JSON.
  std::string At(const std::string& pointer) const;
  /// How many items the array there has.
  std::size_t Size(const std::string& pointer) const;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// A whole controller in this process, on real agents, with a folder of its own. Every container is
/// ended when the test ends.
class ControllerFixture {
 public:
  explicit ControllerFixture(std::function<void(ControllerOptions&)> change = {});
  ~ControllerFixture();
  ControllerFixture(const ControllerFixture&) = delete;
  ControllerFixture& operator=(const ControllerFixture&) = delete;

  void Start();
  /// Ends the controller where it stands; containers run on.
  void Stop();

  http::Response Ask(std::string method, const std::string& target, std::string body = "",
                     std::vector<std::pair<std::string, std::string>> headers = {});
  Document Get(const std::string& target);

  /// A spec whose process runs `script` in a shell, ready at once.
  static std::string Script(const std::string& script, const std::string& min_healthy = "50ms");
  /// Deploys and answers the deployment once its outcome is decided.
  Document Deploy(const std::string& service, const std::string& spec);
  /// Polls the deployment until it is settled, its old version gone.
  Document AwaitSettled(const std::string& deployment);
  bool Eventually(const std::function<bool()>& condition);

  /// The agent of a container, as its folder says.
  pid_t AgentOf(const std::string& container);
  bool Runs(const std::string& container);
  std::string WorkFile(const std::string& container, const std::string& name) const;
  const std::string& data() const { return dir_.path(); }
  ControllerOptions options() const;

 private:
  testing::TempDir dir_;
  std::function<void(ControllerOptions&)> change_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<Controller> controller_;
  std::thread thread_;
  std::string address_;
};

}  // namespace dunlin::controller
