#include "collector/store/segment_reader.h"

#include <algorithm>

#include "collector/store/compression.h"
#include "collector/store/lines/template_dictionary.h"
#include "protocol/base/checksum.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace dunlin::store {

Result<std::shared_ptr<const SegmentReader>> SegmentReader::Open(FileSystem& fs,
                                                                 const std::string& path,
                                                                 StreamTable& streams) {
  std::shared_ptr<SegmentReader> reader(new SegmentReader(fs, path));
  if (auto loaded = reader->Load(streams); !loaded) return std::move(loaded).error();
  return std::shared_ptr<const SegmentReader>(std::move(reader));
}

SegmentReader::~SegmentReader() {
  if (!expired_) return;
  if (auto removed = fs_.Remove(path_); !removed) {
    log::Warn("cannot remove an expired segment", {{"error", removed.error().message()}});
    return;
  }
  std::string day_folder = ParentPath(path_);
  if (!fs_.List(day_folder).value_or({"?"}).empty()) return;
  // An empty folder does no harm, and a segment may just be coming into it.
  [[maybe_unused]] bool removed = fs_.RemoveDirectory(day_folder).has_value();
}

Error SegmentReader::Damaged(std::string_view what) const {
  return Error(ErrorCode::kCorruption, Join("segment ", path_, " is damaged: ", what));
}

Result<void> SegmentReader::Load(StreamTable& streams) {
  auto opened = fs_.Open(path_, FileSystem::Mode::kRead);
  if (!opened) return std::move(opened).error();
  const File& file = **opened;
  auto size = file.Size();
  if (!size) return std::move(size).error();
  if (*size < kSegmentHeaderBytes + kSegmentTailBytes) return Damaged("too short");
  std::string header(kSegmentHeaderBytes, '\0');
  std::string end(kSegmentTailBytes, '\0');
  for (auto [bytes, position] :
       {std::pair(&header, std::uint64_t{0}), std::pair(&end, *size - kSegmentTailBytes)}) {
    auto got = file.ReadAt(position, bytes->data(), bytes->size());
    if (!got) return std::move(got).error();
    if (*got != bytes->size()) return Damaged("ends early");
  }
  auto id = DecodeSegmentHeader(header);
  if (!id) return std::move(id).error().Wrap(path_);
  auto tail = DecodeSegmentTail(end);
  if (!tail) return std::move(tail).error().Wrap(path_);
  if (tail->footer_bytes > *size - kSegmentHeaderBytes - kSegmentTailBytes) {
    return Damaged("footer size");
  }
  std::string footer_bytes(tail->footer_bytes, '\0');
  auto got = file.ReadAt(*size - kSegmentTailBytes - tail->footer_bytes, footer_bytes.data(),
                         footer_bytes.size());
  if (!got) return std::move(got).error();
  auto footer = DecodeSegmentFooter(footer_bytes, *tail);
  if (!footer) return std::move(footer).error().Wrap(path_);
  facts_ = footer->facts;
  if (facts_.id != *id || facts_.file_bytes != *size) {
    return Damaged("header and footer disagree");
  }

  std::string section;
  for (const auto& [kind, frame] : footer->sections) {
    if (kind == SectionKind::kTemplates) {
      templates_frame_ = frame;
      continue;
    }
    if (kind == SectionKind::kCounters) {
      // Read when they are asked for: together they would take much memory.
      counters_ = frame;
      continue;
    }
    if (auto read = Read(file, frame, section); !read) return read;
    ByteReader reader(section);
    if (kind == SectionKind::kSources) {
      auto provenance = ReadProvenance(reader);
      if (!provenance) return Damaged("sources");
      provenance_ = std::move(*provenance);
      continue;
    }
    std::uint64_t count = reader.ReadVarint().value_or(0);
    switch (kind) {
      case SectionKind::kSources:
        break;  // read above
      case SectionKind::kStreams:
        for (std::uint64_t i = 0; i < count; ++i) {
          auto labels = ReadLabelSet(reader);
          if (!labels) return std::move(labels).error().Wrap(path_);
          streams_.push_back(streams.Intern(*labels));
        }
        break;
      case SectionKind::kBlocks:
        for (std::uint64_t i = 0; i < count; ++i) {
          auto block = ReadBlockInfo(reader);
          if (!block) return Damaged("block directory");
          blocks_.push_back(std::move(*block));
        }
        break;
      case SectionKind::kTemplates:
      case SectionKind::kCounters:
        break;
    }
  }
  for (const BlockInfo& block : blocks_) {
    bool known = std::all_of(block.streams.begin(), block.streams.end(),
                             [&](const auto& stream) { return stream.stream < streams_.size(); });
    if (!known) return Damaged("a block names an unknown stream");
  }
  return {};
}

Result<std::shared_ptr<const SegmentReader::Templates>> SegmentReader::ReadTemplates() const {
  std::lock_guard lock(templates_mutex_);
  if (templates_) return templates_;
  if (!templates_frame_) return Damaged("no templates");
  std::string section;
  if (auto read = Read(*templates_frame_, section); !read) return std::move(read).error();
  auto decoded = TemplateDictionary::Decode(section);
  if (!decoded) return Damaged("templates");
  templates_ = std::make_shared<const Templates>(std::move(*decoded));
  return templates_;
}

Result<void> SegmentReader::Read(const Frame& frame, std::string& out) const {
  auto file = fs_.Open(path_, FileSystem::Mode::kRead);
  if (!file) return std::move(file).error();
  return Read(**file, frame, out);
}

Result<void> SegmentReader::ReadStored(const Frame& frame, std::string& out) const {
  auto file = fs_.Open(path_, FileSystem::Mode::kRead);
  if (!file) return std::move(file).error();
  return ReadStored(**file, frame, out);
}

Result<void> SegmentReader::ReadStored(const File& file, const Frame& frame,
                                       std::string& out) const {
  out.resize(frame.stored_bytes);
  auto got = file.ReadAt(frame.offset, out.data(), out.size());
  if (!got) return std::move(got).error();
  if (*got != out.size() || Checksum(out, SeedOf(facts_.id) + frame.offset) != frame.checksum) {
    return Damaged(Join("wrong checksum at byte ", frame.offset));
  }
  return {};
}

Result<void> SegmentReader::Read(const File& file, const Frame& frame, std::string& out) const {
  std::string stored;
  if (auto read = ReadStored(file, frame, stored); !read) return read;
  switch (frame.encoding) {
    case Encoding::kPlain:
      out = std::move(stored);
      break;
    case Encoding::kZstd:
      if (auto done = Decompress(stored, frame.raw_bytes, out); !done) {
        return std::move(done).error().Wrap(Damaged(Join("byte ", frame.offset)).message());
      }
      break;
  }
  if (out.size() != frame.raw_bytes) return Damaged(Join("frame size at byte ", frame.offset));
  return {};
}

}  // namespace dunlin::store
