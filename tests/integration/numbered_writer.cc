// Writes lines that can be told apart and checked one by one, and notes how far it got in memory
// that outlives it.
//
//   numbered_writer NAME PROGRESS TEXT SEED BYTES BYTES_PER_SECOND
//
// Each line is "NAME OUTPUT NUMBER CRC TEXT": OUTPUT is o or e, numbers count from 1 on each
// output, CRC is the CRC-32 of everything else. TEXT comes from the file of that name, or is random
// bytes when the name is "random". After BYTES it waits to be ended.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <atomic>
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

using Clock = std::chrono::steady_clock;

constexpr int kUsageError = 2;
constexpr std::size_t kLongestText = 4000;

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

/// What the test reads while this runs and after it was killed; little-endian, as the test expects.
struct Progress {
  std::uint64_t pid;
  std::array<std::atomic<std::uint64_t>, 2> begun;    // lines of each output given to write(2)
  std::array<std::atomic<std::uint64_t>, 2> written;  // of them: write(2) has returned
  std::atomic<std::uint64_t> bytes;
  std::atomic<std::uint64_t> done;
};
static_assert(sizeof(Progress) == 7 * sizeof(std::uint64_t));

Progress* MapProgress(const char* path) {
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || ftruncate(fd, sizeof(Progress)) != 0) Fail("numbered_writer: progress");
  void* memory = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) Fail("numbered_writer: progress");
  return static_cast<Progress*>(memory);
}

std::string_view MapText(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0) Fail("numbered_writer: text");
  const auto size = static_cast<std::size_t>(status.st_size);
  void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) Fail("numbered_writer: text");
  return {static_cast<const char*>(memory), size};
}

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      Fail("numbered_writer: write");
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

class Writer {
 public:
  Writer(std::string name, Progress& progress, std::string_view text, unsigned seed)
      : name_(std::move(name)), progress_(progress), text_(text), random_(seed) {
    if (!text_.empty()) at_ = Below(text_.size());
  }

  /// Bursts at random, `rate` on the average.
  void Run(std::uint64_t bytes, double rate) {
    const auto begin = Clock::now();
    while (progress_.bytes < bytes) {
      for (std::uint64_t burst = 1 + Below(32); burst > 0 && progress_.bytes < bytes; --burst) {
        WriteSome();
      }
      std::this_thread::sleep_until(
          begin + std::chrono::duration_cast<Clock::duration>(
                      std::chrono::duration<double>(static_cast<double>(progress_.bytes) / rate)));
    }
    progress_.done = 1;
  }

 private:
  std::uint64_t Below(std::uint64_t limit) {
    return std::uniform_int_distribution<std::uint64_t>(0, limit - 1)(random_);
  }

  /// One write of one or many lines.
  void WriteSome() {
    const std::size_t output = Below(5) == 0 ? 1 : 0;
    buffer_.clear();
    const std::uint64_t lines = Below(3) == 0 ? 1 + Below(100) : 1;
    std::uint64_t number = progress_.begun[output];
    for (std::uint64_t i = 0; i < lines; ++i) AppendLine(output, ++number);
    progress_.begun[output] = number;
    WriteAll(output == 0 ? STDOUT_FILENO : STDERR_FILENO, buffer_);
    progress_.written[output] = number;
    progress_.bytes += buffer_.size();
  }

  void AppendLine(std::size_t output, std::uint64_t number) {
    char head[128];
    const int head_size =
        std::snprintf(head, sizeof(head), "%s %c %llu ", name_.c_str(), output == 0 ? 'o' : 'e',
                      static_cast<unsigned long long>(number));
    const std::string_view text = text_.empty() ? RandomText() : NextText();
    auto crc = crc32(0, reinterpret_cast<const Bytef*>(head), static_cast<uInt>(head_size));
    crc = crc32(crc, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
    char check[16];
    const int check_size =
        std::snprintf(check, sizeof(check), "%08lx ", static_cast<unsigned long>(crc));
    buffer_.append(head, static_cast<std::size_t>(head_size));
    buffer_.append(check, static_cast<std::size_t>(check_size));
    buffer_ += text;
    buffer_ += '\n';
  }

  std::string_view NextText() {
    std::string_view rest = text_.substr(at_, kLongestText);
    std::string_view line = rest.substr(0, rest.find('\n'));
    at_ += line.size() + 1;
    if (at_ >= text_.size()) at_ = 0;
    return line;
  }

  /// Any bytes but a newline, NUL and CR included: what hardly compresses fills queues.
  std::string_view RandomText() {
    random_text_.resize(Below(240));
    for (char& byte : random_text_) {
      byte = static_cast<char>(Below(255));
      if (byte == '\n') byte = '\xff';
    }
    return random_text_;
  }

  const std::string name_;
  Progress& progress_;
  const std::string_view text_;
  std::mt19937_64 random_;
  std::size_t at_ = 0;
  std::string buffer_;
  std::string random_text_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fputs("usage: numbered_writer NAME PROGRESS TEXT SEED BYTES BYTES_PER_SECOND\n", stderr);
    return kUsageError;
  }
  Progress* progress = MapProgress(argv[2]);
  progress->pid = static_cast<std::uint64_t>(getpid());
  const std::string_view text =
      std::string_view(argv[3]) == "random" ? std::string_view() : MapText(argv[3]);
  Writer writer(argv[1], *progress, text,
                static_cast<unsigned>(std::strtoul(argv[4], nullptr, 10)));
  writer.Run(std::strtoull(argv[5], nullptr, 10), std::strtod(argv[6], nullptr));
  for (;;) pause();
}
