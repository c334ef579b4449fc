#include "collector/store/manifest.h"

#include <algorithm>
#include <optional>

#include "collector/store/damage.h"
#include "protocol/base/checksum.h"
#include "protocol/base/coding.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"

namespace dunlin::store {
namespace {

constexpr std::string_view kMagic = "DUNLNMAN";
/// Version 2 came with segments of version 2; nothing else of it is new.
constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kOldestVersion = 1;
constexpr std::size_t kHeaderBytes = 32;
constexpr std::size_t kRecordHeaderBytes = 16;
constexpr std::size_t kAlignment = 8;
constexpr std::string_view kNamePrefix = "manifest-";

/// The log is rewritten as one record when it has grown by this over its last rewrite.
constexpr std::uint64_t kRewriteGrowth = 4_MiB;

std::string EncodeHeader() {
  std::string out(kMagic);
  AppendFixed<std::uint32_t>(out, kVersion);
  AppendFixed<std::uint32_t>(out, 0);  // compatible features
  AppendFixed<std::uint32_t>(out, 0);  // incompatible features
  AppendFixed<std::uint32_t>(out, 0);
  AppendFixed<std::uint64_t>(out, Checksum(out));
  return out;
}

std::string EncodeEdit(const ManifestEdit& edit) {
  std::string out;
  AppendVarint(out, edit.covered_lsn);
  AppendVarint(out, edit.next_arrival);
  AppendVarint(out, edit.added.size());
  for (const SegmentFacts& facts : edit.added) AppendFacts(out, facts);
  AppendVarint(out, edit.removed.size());
  for (const RandomId& id : edit.removed) AppendFixed(out, id);
  AppendVarint(out, edit.lost.size());
  for (const Loss& loss : edit.lost) {
    AppendFixed(out, loss.span.min_ns);
    AppendFixed(out, loss.span.max_ns);
    AppendLengthPrefixed(out, loss.text);
  }
  AppendFixed(out, edit.losses_until_ns);
  AppendLengthPrefixed(out, edit.dedup_changes);
  return out;
}

std::optional<ManifestEdit> DecodeEdit(std::string_view body) {
  ByteReader reader(body);
  ManifestEdit edit;
  edit.covered_lsn = reader.ReadVarint().value_or(0);
  edit.next_arrival = reader.ReadVarint().value_or(0);
  std::uint64_t added = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < added; ++i) {
    auto facts = ReadFacts(reader);
    if (!facts) return std::nullopt;
    edit.added.push_back(*facts);
  }
  std::uint64_t removed = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < removed && !reader.failed(); ++i) {
    edit.removed.push_back(reader.ReadFixed<RandomId>().value_or(RandomId{}));
  }
  std::uint64_t lost = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < lost && !reader.failed(); ++i) {
    Loss loss;
    loss.span.min_ns = reader.ReadFixed<std::int64_t>().value_or(0);
    loss.span.max_ns = reader.ReadFixed<std::int64_t>().value_or(0);
    loss.text = reader.ReadLengthPrefixed().value_or(std::string_view());
    edit.lost.push_back(std::move(loss));
  }
  edit.losses_until_ns = reader.ReadFixed<std::int64_t>().value_or(0);
  edit.dedup_changes = reader.ReadLengthPrefixed().value_or(std::string_view());
  if (reader.failed()) return std::nullopt;
  return edit;
}

std::size_t Padded(std::size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

/// A record: checksum over what follows it, seeded with file number and position so that no other
/// record passes for it; body bytes; zero; body; padding.
std::string EncodeRecord(std::string_view body, std::uint64_t seed) {
  std::string out;
  AppendFixed<std::uint64_t>(out, 0);
  AppendFixed(out, static_cast<std::uint32_t>(body.size()));
  AppendFixed<std::uint32_t>(out, 0);
  out += body;
  StoreFixed(out.data(), Checksum(std::string_view(out).substr(8), seed));
  out.resize(Padded(out.size()), '\0');
  return out;
}

std::optional<std::string_view> RecordAt(std::string_view file, std::size_t at,
                                         std::uint64_t seed) {
  std::string_view rest = file.substr(at);
  if (rest.size() < kRecordHeaderBytes) return std::nullopt;
  std::size_t size = kRecordHeaderBytes + LoadFixed<std::uint32_t>(rest.data() + 8);
  if (size > rest.size()) return std::nullopt;
  if (Checksum(rest.substr(8, size - 8), seed) != LoadFixed<std::uint64_t>(rest.data())) {
    return std::nullopt;
  }
  return rest.substr(kRecordHeaderBytes, size - kRecordHeaderBytes);
}

std::uint64_t RecordSeed(std::uint64_t number, std::uint64_t offset) {
  return (number << 40) + offset;
}

std::optional<std::uint64_t> NumberOf(std::string_view name) {
  if (!name.starts_with(kNamePrefix)) return std::nullopt;
  return ParseInteger<std::uint64_t>(name.substr(kNamePrefix.size()));
}

}  // namespace

std::string Manifest::PathOf(std::uint64_t number) const {
  return Join(folder_, "/", kNamePrefix, number);
}

void Manifest::Apply(const ManifestEdit& edit) {
  state_.covered_lsn = std::max(state_.covered_lsn, edit.covered_lsn);
  state_.next_arrival = std::max(state_.next_arrival, edit.next_arrival);
  for (const SegmentFacts& facts : edit.added) state_.segments[facts.id] = facts;
  for (const RandomId& id : edit.removed) state_.segments.erase(id);
  std::erase_if(state_.losses,
                [&](const Loss& loss) { return loss.span.max_ns < edit.losses_until_ns; });
  state_.losses.insert(state_.losses.end(), edit.lost.begin(), edit.lost.end());
}

/// Answers whether anything was damaged.
Result<bool> Manifest::Read(const std::string& name) {
  auto number = NumberOf(name);
  if (!number) return Error(ErrorCode::kCorruption, Join("\"", name, "\" names no manifest"));
  auto contents = ReadFile(fs_, PathOf(*number));
  if (!contents) return std::move(contents).error();
  std::string_view bytes = *contents;
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(kMagic) ||
      Checksum(bytes.substr(0, kHeaderBytes - 8)) !=
          LoadFixed<std::uint64_t>(bytes.data() + kHeaderBytes - 8)) {
    return Error(ErrorCode::kCorruption, Join("damaged header of ", name));
  }
  const auto version = LoadFixed<std::uint32_t>(bytes.data() + 8);
  if (version < kOldestVersion || version > kVersion ||
      LoadFixed<std::uint32_t>(bytes.data() + 16) != 0) {
    return Error(ErrorCode::kUnsupported, Join(name, " was written by a newer program"));
  }
  state_ = {};
  bool damaged = false;
  bool skipped = false;  // bytes that are no record: a torn end, or damage when records follow
  std::uint64_t end = kHeaderBytes;
  for (std::size_t at = kHeaderBytes; at < bytes.size();) {
    auto body = RecordAt(bytes, at, RecordSeed(*number, at));
    if (!body) {
      skipped = true;
      at += kAlignment;
      continue;
    }
    if (skipped) damaged = true;
    skipped = false;
    auto edit = DecodeEdit(*body);
    if (edit) {
      Apply(*edit);
      if (!state_.dedup.Apply(edit->dedup_changes)) damaged = true;
    } else {
      damaged = true;
    }
    at += Padded(kRecordHeaderBytes + body->size());
    end = at;
  }
  number_ = *number;
  end_ = end;
  // The first record is written with the file; without it the file says nothing.
  return damaged || end == kHeaderBytes;
}

Result<Manifest::Opened> Manifest::Open(FileSystem& fs, const std::string& folder,
                                        std::int64_t now_ns) {
  Opened opened;
  opened.manifest.reset(new Manifest(fs, folder));
  Manifest& manifest = *opened.manifest;
  auto names = fs.List(folder);
  if (!names) return std::move(names).error();
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : *names) {
    if (auto number = NumberOf(name)) numbers.push_back(*number);
  }
  std::sort(numbers.rbegin(), numbers.rend());

  bool found = false;
  auto current = ReadFile(fs, folder + "/CURRENT");
  if (!current && current.error().code() != ErrorCode::kNotFound) {
    return std::move(current).error();
  }
  if (current) {
    auto read = manifest.Read(current->substr(0, current->find('\n')));
    // What cannot be read today is not gone: an older manifest in its place would lose what this
    // one lists.
    if (!read && FailureOf(read.error()) != ReadFailure::kDamaged) return std::move(read).error();
    found = read.has_value();
    opened.damaged = !read || *read;
    if (!read) log::Fail("manifest cannot be read", {{"error", read.error().message()}});
  } else if (!numbers.empty()) {
    // A crash before the first CURRENT leaves manifest-1 alone; more would be damage.
    opened.damaged = numbers.front() > 1;
  }
  for (std::uint64_t number : numbers) {
    if (found) break;
    auto read = manifest.Read(Join(kNamePrefix, number));
    if (!read && FailureOf(read.error()) != ReadFailure::kDamaged) return std::move(read).error();
    found = read.has_value();
  }
  if (opened.damaged) {
    log::Fail("manifest is damaged, looking at all segment files", {{"folder", folder}});
  }
  std::uint64_t read_number = manifest.number_;
  if (!numbers.empty()) manifest.number_ = std::max(manifest.number_, numbers.front());
  manifest.state_.dedup.Expire(now_ns);
  if (opened.damaged) return opened;
  if (auto rewritten = manifest.Rewrite(); !rewritten) {
    if (!found) return std::move(rewritten).error().Wrap("cannot begin a manifest");
    // Likely a full disk, which does not stop reads: go on with the old file.
    log::Warn("cannot rewrite the manifest", {{"error", rewritten.error().message()}});
    auto file = fs.Open(manifest.PathOf(read_number), FileSystem::Mode::kWrite);
    if (file) manifest.file_ = std::move(*file);
    if (manifest.file_) manifest.number_ = read_number;
    manifest.rewrite_at_ = 0;
  }
  return opened;
}

Result<void> Manifest::Rewrite() {
  // Whatever happens below, this number is not used for a different file again.
  std::uint64_t old_number = number_++;
  file_.reset();
  ManifestEdit whole;
  whole.covered_lsn = state_.covered_lsn;
  whole.next_arrival = state_.next_arrival;
  for (const auto& [id, facts] : state_.segments) whole.added.push_back(facts);
  whole.lost = state_.losses;
  state_.dedup.AppendAll(whole.dedup_changes);
  std::string bytes = EncodeHeader();
  bytes += EncodeRecord(EncodeEdit(whole), RecordSeed(number_, bytes.size()));

  auto file = fs_.Open(PathOf(number_), FileSystem::Mode::kCreate);
  if (!file) return std::move(file).error();
  if (auto done = (*file)->WriteAt(0, bytes); !done) return done;
  if (auto done = (*file)->Sync(); !done) return done;
  if (auto done = fs_.SyncDirectory(folder_); !done) return done;
  auto done = WriteFileAtomically(fs_, folder_ + "/CURRENT", Join(kNamePrefix, number_, "\n"));
  if (!done) return done;
  file_ = std::move(*file);
  end_ = bytes.size();
  rewrite_at_ = end_ + kRewriteGrowth;
  for (std::uint64_t number = old_number; number > 0 && fs_.Exists(PathOf(number)); --number) {
    if (!fs_.Remove(PathOf(number))) break;  // harmless: CURRENT does not name it
  }
  return {};
}

Result<void> Manifest::Append(const ManifestEdit& edit, std::int64_t now_ns) {
  if (file_ && end_ < rewrite_at_) {
    std::string record = EncodeRecord(EncodeEdit(edit), RecordSeed(number_, end_));
    auto done = file_->WriteAt(end_, record);
    if (done) done = file_->Sync();
    if (done) {
      end_ += record.size();
      Apply(edit);
      if (auto applied = state_.dedup.Apply(edit.dedup_changes); !applied) return applied;
      state_.dedup.Expire(now_ns);
      return {};
    }
    log::Warn("manifest write failed, going on in a new file", {{"error", done.error().message()}});
  }
  // A new file with everything, the edit included. The old state stays in memory until it is
  // certain.
  ManifestState before = state_;
  Apply(edit);
  if (auto applied = state_.dedup.Apply(edit.dedup_changes); !applied) return applied;
  state_.dedup.Expire(now_ns);
  auto done = Rewrite();
  if (!done) {
    state_ = std::move(before);
    return std::move(done).error().Wrap("cannot write the manifest");
  }
  return {};
}

Result<void> Manifest::Adopt(const ManifestEdit& edit, std::int64_t now_ns) {
  Apply(edit);
  if (auto applied = state_.dedup.Apply(edit.dedup_changes); !applied) return applied;
  state_.dedup.Expire(now_ns);
  if (auto done = Rewrite(); !done) {
    return std::move(done).error().Wrap("cannot write the manifest");
  }
  return {};
}

}  // namespace dunlin::store
