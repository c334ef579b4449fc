#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <string>
#include <string_view>

#include "protocol/base/text.h"
#include "protocol/net/descriptor.h"
#include "tests/support/catch.h"

namespace dunlin::net {

/// A name server on loopback that answers as the test says.
class DnsServer {
 public:
  enum class Answer { kAddresses, kNoSuchName, kFailure, kSilence };

  explicit DnsServer(Loop& loop)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
        watcher_(loop, socket_.get(), [this] { Reply(); }) {
    sockaddr_in bound{};
    bound.sin_family = AF_INET;
    bound.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&bound), sizeof bound) == 0);
    socklen_t size = sizeof bound;
    getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    address = Join("127.0.0.1:", ntohs(bound.sin_port));
    watcher_.Start();
  }

  std::string address;
  Answer answer = Answer::kAddresses;
  std::string ipv4;  // four bytes for each address
  std::string ipv6;  // sixteen
  int questions = 0;

 private:
  void Reply() {
    char buffer[512];
    sockaddr_in from{};
    socklen_t from_size = sizeof from;
    ssize_t size = recvfrom(socket_.get(), buffer, sizeof buffer, 0,
                            reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 12) return;
    ++questions;
    if (answer == Answer::kSilence) return;
    // RFC 1035 section 4.1: a header of twelve bytes, the question, then the answers.
    std::string_view query(buffer, static_cast<std::size_t>(size));
    std::size_t end = query.find('\0', 12) + 1 + 4;
    bool wants_ipv6 = query[end - 3] == 28;
    const std::string& addresses = wants_ipv6 ? ipv6 : ipv4;
    std::size_t width = wants_ipv6 ? 16 : 4;
    std::string reply(query.substr(0, end));
    bool positive = answer == Answer::kAddresses;
    char code = answer == Answer::kNoSuchName ? '\3' : answer == Answer::kFailure ? '\2' : '\0';
    reply[2] = '\x81';  // a response; recursion desired
    reply[3] = static_cast<char>('\x80' | code);
    reply[6] = '\0';
    reply[7] = static_cast<char>(positive ? addresses.size() / width : 0);
    reply[8] = reply[9] = reply[10] = reply[11] = '\0';
    for (std::size_t at = 0; positive && at < addresses.size(); at += width) {
      reply += std::string("\xC0\x0C\0", 3);  // the question's name
      reply += wants_ipv6 ? '\x1C' : '\1';
      reply += std::string("\0\1\0\0\0\0\0", 7);  // class IN, no time to live
      reply += static_cast<char>(width);
      reply += addresses.substr(at, width);
    }
    sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from),
           from_size);
  }

  Descriptor socket_;
  DescriptorWatcher watcher_;
};

}  // namespace dunlin::net
