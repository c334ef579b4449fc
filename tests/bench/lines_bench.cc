// What it costs to keep lines as columns, and what it saves: size, encoding, decoding, beside zstd
// on the text itself. Blocks are cut from the file as they come.
//
//   lines_bench FILE [BLOCK_BYTES [LEVEL]]
#include <zstd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "collector/store/compression.h"
#include "collector/store/lines/lines_reader.h"
#include "collector/store/lines/lines_writer.h"
#include "protocol/base/file_system.h"
#include "protocol/base/text.h"
#include "tests/bench/cpu_seconds.h"
#include "tests/support/string_values.h"

namespace dunlin::store {
namespace {

class Timer {
 public:
  explicit Timer(double& sum) : sum_(sum), begin_(CpuSeconds()) {}
  ~Timer() { sum_ += CpuSeconds() - begin_; }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  double& sum_;
  double begin_;
};

struct Sums {
  std::size_t text = 0, lines = 0, layout = 0, groups = 0, values = 0, templates = 0, plain = 0;
  double encode = 0, compress = 0, decompress = 0, decode = 0, plain_compress = 0,
         plain_decompress = 0;
};

class Bench {
 public:
  explicit Bench(int level) : level_(level) {}

  void Add(std::string_view text) {
    std::vector<TextRange> lines;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      lines.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end - at)});
      at = end + 1;
    }
    sums_.text += text.size();
    sums_.lines += lines.size();
    {
      Timer timer(sums_.encode);
      writer_.Encode(text, lines, encoded_);
    }
    std::vector<std::pair<std::string, std::size_t>> frames;
    {
      Timer timer(sums_.compress);
      frames.push_back(Frame(encoded_.layout, sums_.layout));
      frames.push_back(Frame(encoded_.groups, sums_.groups));
      std::size_t begin = 0;
      for (std::size_t end : encoded_.frame_ends) {
        frames.push_back(
            Frame(std::string_view(encoded_.values).substr(begin, end - begin), sums_.values));
        begin = end;
      }
    }
    std::vector<std::string> raw(frames.size());
    {
      Timer timer(sums_.decompress);
      for (std::size_t i = 0; i < frames.size(); ++i) {
        if (!Decompress(frames[i].first, frames[i].second, raw[i])) std::exit(1);
      }
    }
    auto templates = TemplateDictionary::Decode(dictionary_.Encode());
    std::string back;
    {
      Timer timer(sums_.decode);
      std::string values;
      values.reserve(encoded_.values.size());
      for (std::size_t i = 2; i < raw.size(); ++i) values += raw[i];
      testing::StringValues bytes(values);
      std::vector<std::uint32_t> ends;
      auto reader = LinesReader::Open(raw[0], encoded_.templates, raw[1],
                                      static_cast<std::uint32_t>(lines.size()), *templates, bytes);
      if (!reader || !reader->AppendLines(text.size(), back, ends)) {
        std::fprintf(stderr, "does not come back\n");
        std::exit(1);
      }
    }
    if (back != text) {
      std::fprintf(stderr, "comes back different\n");
      std::exit(1);
    }
    std::string plain;
    {
      Timer timer(sums_.plain_compress);
      compressor_.Append(plain, text, level_);
    }
    sums_.plain += plain.size();
    Timer timer(sums_.plain_decompress);
    if (!Decompress(plain, text.size(), back)) std::exit(1);
  }

  void Print() {
    std::string templates;
    const std::string encoded = dictionary_.Encode();
    compressor_.Append(templates, encoded, level_);
    const std::size_t all = sums_.layout + sums_.groups + sums_.values + templates.size();
    auto speed = [this](double seconds) { return static_cast<double>(sums_.text) / seconds / 1e6; };
    std::printf("level %d: %zu lines, %zu bytes of text\n", level_, sums_.lines, sums_.text);
    std::printf(
        "  columns %10zu bytes (%.2f x): layout %zu, groups %zu, values %zu, %zu templates %zu\n",
        all, static_cast<double>(sums_.text) / static_cast<double>(all), sums_.layout, sums_.groups,
        sums_.values, dictionary_.size(), templates.size());
    std::printf("  text    %10zu bytes (%.2f x)\n", sums_.plain,
                static_cast<double>(sums_.text) / static_cast<double>(sums_.plain));
    std::printf("  columns: encode %.0f, compress %.0f, decompress %.0f, decode %.0f MB/s\n",
                speed(sums_.encode), speed(sums_.compress), speed(sums_.decompress),
                speed(sums_.decode));
    std::printf("  text: compress %.0f, decompress %.0f MB/s\n", speed(sums_.plain_compress),
                speed(sums_.plain_decompress));
  }

 private:
  std::pair<std::string, std::size_t> Frame(std::string_view raw, std::size_t& bytes) {
    std::string frame;
    compressor_.Append(frame, raw, level_);
    bytes += std::min(frame.size(), raw.size());
    return {std::move(frame), raw.size()};
  }

  int level_;
  TemplateDictionary dictionary_;
  LinesWriter writer_{dictionary_};
  Compressor compressor_;
  EncodedLines encoded_;
  Sums sums_;
};

int Main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: lines_bench FILE [BLOCK_BYTES [LEVEL]]\n");
    return 2;
  }
  const auto block = argc > 2 ? ParseInteger<std::size_t>(argv[2]).value_or(8 << 20) : 8 << 20;
  const int level = argc > 3 ? ParseInteger<int>(argv[3]).value_or(3) : 3;
  std::FILE* file = std::fopen(argv[1], "rb");
  if (file == nullptr) {
    std::fprintf(stderr, "cannot open %s\n", argv[1]);
    return 1;
  }
  Bench bench(level);
  std::string text;
  for (bool more = true; more;) {
    const std::size_t have = text.size();
    text.resize(block);
    const std::size_t got = std::fread(text.data() + have, 1, block - have, file);
    text.resize(have + got);
    more = text.size() == block;
    if (!more && !text.empty() && text.back() != '\n') text.push_back('\n');
    const std::size_t end = text.rfind('\n') + 1;
    if (end > 0) bench.Add(std::string_view(text).substr(0, end));
    text.erase(0, end);
  }
  std::fclose(file);
  bench.Print();
  return 0;
}

}  // namespace
}  // namespace dunlin::store

int main(int argc, char** argv) { return dunlin::store::Main(argc, argv); }
