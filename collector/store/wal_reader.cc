#include "collector/store/wal_reader.h"

#include <algorithm>

#include "protocol/base/coding.h"
#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

/// An LSN further ahead than this is not a record but bytes that look like one.
constexpr Lsn kMaxLsnStep = 1ULL << 32;

struct Found {
  std::size_t offset;
  std::size_t bytes;
  WalRecord record;
};

/// Whether a checksum is worth the while: it reads as many bytes as the claim says, and in a
/// recycled file there are millions of places to try.
bool MayBeRecord(const WalRecordClaim& claim) {
  return claim.type == static_cast<std::uint8_t>(WalRecordType::kBatch) &&
         claim.durable_lsn < claim.lsn && claim.lsn - claim.durable_lsn <= kMaxWalGroupRecords;
}

/// The first intact record at or after `from` with an LSN above `last`; `last` 0 accepts any.
std::optional<Found> FindRecord(std::string_view file, std::uint64_t seed, std::size_t from,
                                Lsn last) {
  for (std::size_t at = from; at + kWalRecordHeaderBytes <= file.size(); at += kWalAlignment) {
    WalRecordClaim claim = WalRecordClaimAt(file.substr(at));
    if (claim.lsn <= last || (last != 0 && claim.lsn - last > kMaxLsnStep)) continue;
    if (!MayBeRecord(claim)) continue;
    auto bytes = IntactWalRecordBytes(file.substr(at), seed);
    if (!bytes) continue;
    auto record = DecodeWalRecord(file.substr(at));
    if (record) return Found{at, *bytes, *record};
  }
  return std::nullopt;
}

std::size_t EndOfContent(std::string_view file) {
  std::size_t last = file.find_last_not_of('\0');
  return last == std::string_view::npos ? 0 : last + 1;
}

/// Bytes after `at`, the end of the last record, that a crash cut short: in a new file all that are
/// not zeros; in a recycled one what calls itself the next record.
std::uint64_t TornBytes(std::string_view file, std::size_t at, bool recycled, Lsn last) {
  std::size_t end = EndOfContent(file);
  if (end <= at) return 0;
  if (!recycled) return end - at;
  if (at + kWalRecordHeaderBytes > file.size()) return 0;
  WalRecordClaim claim = WalRecordClaimAt(file.substr(at));
  return claim.lsn == last + 1 && MayBeRecord(claim) ? end - at : 0;
}

}  // namespace

Result<std::vector<WalFileEntry>> ListWal(FileSystem& fs, const std::string& folder) {
  auto names = fs.List(folder);
  if (!names) return std::move(names).error();
  std::vector<WalFileEntry> files;
  for (const std::string& text : *names) {
    auto name = WalFileName::Parse(text);
    if (!name) continue;
    WalFileEntry entry;
    entry.name = *name;
    entry.path = Join(folder, "/", text);
    auto file = fs.Open(entry.path, FileSystem::Mode::kRead);
    if (!file) return std::move(file).error();
    auto size = (*file)->Size();
    if (!size) return std::move(size).error();
    entry.bytes = *size;
    std::string bytes(kWalHeaderBytes, '\0');
    auto got = (*file)->ReadAt(0, bytes.data(), bytes.size());
    if (!got) return std::move(got).error();
    auto header = DecodeWalFileHeader(std::string_view(bytes).substr(0, *got));
    if (header && header->id == name->id) {
      entry.first_lsn = header->first_lsn;
      entry.recycled = header->recycled;
    } else if (!header && header.error().code() == ErrorCode::kUnsupported) {
      return std::move(header).error().Wrap(entry.path);
    } else {
      entry.header_damaged = true;
      auto contents = ReadFile(fs, entry.path);
      if (!contents) return std::move(contents).error();
      auto first = FindRecord(*contents, name->seed(), kWalHeaderBytes, 0);
      if (first) {
        entry.first_lsn = first->record.lsn;
      } else {
        entry.never_used = true;
      }
    }
    files.push_back(std::move(entry));
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name.number < b.name.number; });
  return files;
}

Result<WalReport> ReadWalFile(FileSystem& fs, const WalFileEntry& file, std::optional<Lsn> end_lsn,
                              const std::function<void(const WalRecord&)>& visit) {
  auto contents = ReadFile(fs, file.path);
  if (!contents) return std::move(contents).error();
  std::string_view bytes = *contents;
  std::uint64_t seed = file.name.seed();
  WalReport report;
  report.header_damaged = file.header_damaged;
  report.last_lsn = file.first_lsn == 0 ? 0 : file.first_lsn - 1;
  std::size_t at = kWalHeaderBytes;
  auto is_void = [&](Lsn lsn) { return end_lsn && lsn >= *end_lsn; };

  while (at < bytes.size()) {
    std::optional<Found> next;
    if (auto size = IntactWalRecordBytes(bytes.substr(at), seed)) {
      auto record = DecodeWalRecord(bytes.substr(at));
      // Anything but the next LSN here is left over from an earlier use of the space.
      if (record && record->lsn == report.last_lsn + 1) next = Found{at, *size, *record};
    }
    if (!next) {
      // Either the end, or damage with acknowledged records after it. Those show that what is
      // missing was durable when they were written.
      std::vector<Found> later;
      Lsn known_durable = report.last_lsn;
      Lsn last = report.last_lsn;
      std::size_t from = at;
      while (auto found = FindRecord(bytes, seed, from, last)) {
        if (is_void(found->record.lsn)) break;
        known_durable = std::max(known_durable, found->record.durable_lsn);
        last = found->record.lsn;
        from = found->offset + found->bytes;
        later.push_back(std::move(*found));
      }
      if (end_lsn) known_durable = *end_lsn - 1;
      if (known_durable <= report.last_lsn) {
        // Nobody was promised anything that is missing here: the group being written in a crash.
        report.torn_bytes = TornBytes(bytes, at, file.recycled, report.last_lsn);
        return report;
      }
      if (later.empty()) break;
      next = std::move(later.front());
      report.damage.push_back({at, next->offset - at, report.last_lsn + 1, next->record.lsn});
    }
    if (is_void(next->record.lsn)) break;
    visit(next->record);
    ++report.records;
    report.last_lsn = next->record.lsn;
    at = next->offset + next->bytes;
  }
  if (end_lsn && report.last_lsn + 1 < *end_lsn) {
    std::size_t end = std::max(EndOfContent(bytes), at);
    report.damage.push_back({at, end - at, report.last_lsn + 1, *end_lsn});
    report.last_lsn = *end_lsn - 1;
  }
  return report;
}

}  // namespace dunlin::store
