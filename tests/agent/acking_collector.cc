// A collector that keeps nothing and acknowledges everything: the other end of measurements of the
// agent alone. Prints its address, then runs until it is killed.
#include <cstdio>

#include "protocol/net/loop.h"
#include "tests/shipper/scripted_collector.h"

int main() {
  dunlin::net::Loop loop;
  dunlin::testing::ScriptedCollector collector(loop);
  collector.decode = false;
  std::puts(collector.address().ToString().c_str());
  std::fflush(stdout);
  loop.Run();
}
