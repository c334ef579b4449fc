#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/text.h"
#include "tests/api/api_fixture.h"
#include "tests/support/catch.h"

namespace dunlin::api {
namespace {

/// One request and the answer wanted; the format is in exchanges/README.md.
struct Exchange {
  int line = 0;
  std::string method;
  std::string target;
  HeaderFields headers;
  std::string body;
  std::string status;
  HeaderFields answer_headers;
  std::string answer;
};

std::pair<std::string, std::string> CutAt(std::string_view text, std::string_view separator) {
  std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + separator.size()))};
}

std::vector<Exchange> ReadExchanges(const std::filesystem::path& path) {
  std::ifstream file(path);
  REQUIRE(file.good());
  std::vector<Exchange> exchanges;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.starts_with("#")) continue;
    auto [mark, rest] = CutAt(line, " ");
    if (mark == ">") {
      Exchange exchange;
      exchange.line = number;
      std::tie(exchange.method, exchange.target) = CutAt(rest, " ");
      exchanges.push_back(exchange);
      continue;
    }
    INFO(path.filename().string() << ":" << number);
    REQUIRE_FALSE(exchanges.empty());
    Exchange& last = exchanges.back();
    if (mark == ">h") {
      last.headers.push_back(CutAt(rest, ": "));
    } else if (mark == ">>") {
      last.body += rest;
    } else if (mark == "<") {
      last.status = rest;
    } else if (mark == "<h") {
      last.answer_headers.push_back(CutAt(rest, ": "));
    } else if (mark == "<<") {
      last.answer += rest;
    } else {
      FAIL("a line begins with " << mark);
    }
  }
  return exchanges;
}

TEST_CASE("recorded requests are answered as recorded", "[api][exchanges]") {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(DUNLIN_EXCHANGES)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  REQUIRE(files.size() >= 3);
  for (const auto& file : files) {
    ApiFixture api;
    for (const Exchange& exchange : ReadExchanges(file)) {
      INFO(file.filename().string() << ":" << exchange.line);
      http::Response response =
          api.Ask(exchange.method, exchange.target, exchange.headers, exchange.body);
      CHECK(Join(response.status) == exchange.status);
      for (const auto& [name, value] : exchange.answer_headers) {
        CHECK(response.headers.Get(name) == value);
      }
      std::string body = WithoutStats(response.body);
      while (body.ends_with('\n')) body.pop_back();
      CHECK(body == exchange.answer);
    }
  }
}

}  // namespace
}  // namespace dunlin::api
