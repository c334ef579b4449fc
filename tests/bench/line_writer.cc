// Writes lines as an application without a buffer does: one write(2) each.
//
//   line_writer paced BYTES_PER_SECOND SECONDS CPU_FILE   lines of 100 bytes at a steady rate; what
//                                                         that cost it goes to CPU_FILE, in seconds
//   line_writer stamped LINES_PER_SECOND SECONDS          the same, each beginning with the
//                                                         monotonic nanoseconds before its write
//   line_writer mixed SEED SECONDS                        bursts, silences, long lines, pieces of
//                                                         lines, any bytes, on both outputs
//   line_writer flood SEED SECONDS                        the same without the silences
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <thread>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kUsageError = 2;
constexpr std::size_t kLineBytes = 100;  // with its newline
constexpr auto kTick = 1ms;

void Write(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(fd, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      std::perror("line_writer: cannot write");
      std::exit(1);
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

bool WriteCpuSeconds(const char* path) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) return false;
  std::fprintf(file, "%.6f\n", Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
  return std::fclose(file) == 0;
}

/// The lines that are due are written at every tick, so that a late tick loses none.
int WritePaced(double bytes_per_second, double seconds, const char* cpu_file) {
  std::string line(kLineBytes, 'x');
  line.back() = '\n';
  const auto total = static_cast<std::uint64_t>(bytes_per_second * seconds / kLineBytes);
  const auto begin = Clock::now();
  auto tick = begin;
  for (std::uint64_t written = 0; written < total;) {
    tick += kTick;
    std::this_thread::sleep_until(tick);
    const std::chrono::duration<double> passed = Clock::now() - begin;
    const auto due = static_cast<std::uint64_t>(bytes_per_second * passed.count() / kLineBytes);
    for (; written < due && written < total; ++written) Write(STDOUT_FILENO, line);
  }
  if (!WriteCpuSeconds(cpu_file)) {
    std::perror("line_writer: cannot write the CPU seconds");
    return 1;
  }
  return 0;
}

/// Evenly spread, as requests come to a service, but not in step with anybody's timer.
int WriteStamped(double lines_per_second, double seconds) {
  std::string line(kLineBytes, 'x');
  line.back() = '\n';
  std::mt19937 random(1);
  std::exponential_distribution<double> pause(lines_per_second);
  const auto begin = Clock::now();
  const auto end =
      begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  for (auto next = begin; next < end; next += std::chrono::duration_cast<Clock::duration>(
                                          std::chrono::duration<double>(pause(random)))) {
    std::this_thread::sleep_until(next);
    const long long now =
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
            .count();
    std::snprintf(line.data(), line.size(), "%019lld", now);
    line[19] = ' ';  // in place of the final NUL
    Write(STDOUT_FILENO, line);
  }
  return 0;
}

class MixedLoad {
 public:
  MixedLoad(unsigned seed, bool silences)
      : random_(seed), silences_(silences), text_(Line(kTextBytes)) {}

  void RunUntil(Clock::time_point end) {
    while (Clock::now() < end) {
      const unsigned choice = Below(100);
      if (choice < 60) {
        Burst();
      } else if (choice < 70) {
        LongLine();
      } else if (choice < 85) {
        LineInPieces();
      } else if (silences_) {
        std::this_thread::sleep_for(std::chrono::milliseconds(Below(1000)));
      }
    }
  }

 private:
  unsigned Below(unsigned limit) {
    return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_);
  }

  int Output() { return Below(4) == 0 ? STDERR_FILENO : STDOUT_FILENO; }

  std::string Line(std::size_t size) {
    std::string line(size, '\0');
    for (char& byte : line) byte = static_cast<char>(' ' + Below(95));
    if (!line.empty() && Below(8) == 0) line[Below(static_cast<unsigned>(size))] = '\xff';
    line += '\n';
    return line;
  }

  /// Mostly one line again and again, which compresses to nothing; else no two alike, which hardly
  /// compresses.
  void Burst() {
    const int output = Output();
    const bool alike = Below(8) != 0;
    std::string line = Line(Below(240));
    for (unsigned count = 1 + Below(2000); count > 0; --count) {
      if (!alike) text_.copy(line.data(), line.size() - 1, Below(kTextBytes / 2));
      Write(output, line);
    }
  }

  /// Some are fragments, some are over the hard limit of a line.
  void LongLine() {
    std::string line = Line(64);
    line.pop_back();
    std::string text;
    for (const std::size_t size = 1 + Below(1'500'000); text.size() < size;) text += line;
    text += '\n';
    Write(Output(), text);
  }

  void LineInPieces() {
    const int output = Output();
    const std::string line = Line(1 + Below(400));
    for (std::string_view rest = line; !rest.empty();) {
      const std::size_t piece = std::min<std::size_t>(1 + Below(100), rest.size());
      Write(output, rest.substr(0, piece));
      rest.remove_prefix(piece);
    }
  }

  static constexpr unsigned kTextBytes = 1 << 20;  // more than a compressor looks back

  std::mt19937 random_;
  bool silences_;
  const std::string text_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "paced" && argc == 5) {
    return WritePaced(std::strtod(argv[2], nullptr), std::strtod(argv[3], nullptr), argv[4]);
  }
  if (what == "stamped" && argc == 4) {
    return WriteStamped(std::strtod(argv[2], nullptr), std::strtod(argv[3], nullptr));
  }
  if ((what == "mixed" || what == "flood") && argc == 4) {
    const std::chrono::duration<double> time(std::strtod(argv[3], nullptr));
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(time);
    MixedLoad load(static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)),
                   /*silences=*/what == "mixed");
    load.RunUntil(end);
    return 0;
  }
  std::fputs(
      "usage: line_writer paced BYTES_PER_SECOND SECONDS CPU_FILE | stamped LINES_PER_SECOND "
      "SECONDS"
      " | mixed SEED SECONDS | flood SEED SECONDS\n",
      stderr);
  return kUsageError;
}
