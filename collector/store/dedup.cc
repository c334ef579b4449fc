#include "collector/store/dedup.h"

#include <algorithm>
#include <cstring>

#include "protocol/base/coding.h"

namespace dunlin::store {
namespace {

std::uint64_t HalfOf(const RandomId& id) {
  std::uint64_t half = 0;
  std::memcpy(&half, id.data(), sizeof half);
  return half;
}

void AppendId(std::string& out, const RandomId& id) { AppendFixed(out, id); }

}  // namespace

std::size_t RandomIdHash::operator()(const RandomId& id) const noexcept { return HalfOf(id); }
std::size_t BootKeyHash::operator()(const BootKey& key) const noexcept {
  return HalfOf(key.agent) * 31 + HalfOf(key.boot);
}

void DedupState::SetBoot(const BootKey& key, Boot boot) {
  Boot& have = boots_[key];
  have.next_sequence = std::max(have.next_sequence, boot.next_sequence);
  have.last_seen_ns = std::max(have.last_seen_ns, boot.last_seen_ns);
}

void DedupState::AddContent(const RandomId& hash, std::int64_t received_ns) {
  contents_[hash] = received_ns;
  contents_by_age_.emplace_back(received_ns, hash);
}

void DedupState::Add(const std::optional<BatchId>& id, const std::optional<RandomId>& content_hash,
                     std::int64_t received_ns) {
  if (id) {
    BootKey key{id->agent, id->boot};
    SetBoot(key, {id->sequence + 1, received_ns});
    changed_boots_[key] = true;
  }
  if (content_hash) {
    AddContent(*content_hash, received_ns);
    changed_contents_.push_back(*content_hash);
  }
}

std::uint64_t DedupState::NextSequence(const BootKey& key) const {
  auto found = boots_.find(key);
  return found == boots_.end() ? 1 : found->second.next_sequence;
}

bool DedupState::HasContent(const RandomId& hash, std::int64_t now_ns) const {
  auto found = contents_.find(hash);
  return found != contents_.end() && now_ns - found->second < kContentMemory.count();
}

void DedupState::Expire(std::int64_t now_ns) {
  while (!contents_by_age_.empty() &&
         (now_ns - contents_by_age_.front().first >= kContentMemory.count() ||
          contents_by_age_.size() > kMaxContents)) {
    auto [received_ns, hash] = contents_by_age_.front();
    contents_by_age_.pop_front();
    auto found = contents_.find(hash);
    // It may have come again since, with a younger entry further back.
    if (found != contents_.end() && found->second == received_ns) contents_.erase(found);
  }
  std::erase_if(boots_, [&](const auto& item) {
    return now_ns - item.second.last_seen_ns >= kBootMemory.count();
  });
  if (boots_.size() <= kMaxBoots) return;
  std::vector<std::int64_t> ages;
  ages.reserve(boots_.size());
  for (const auto& [key, boot] : boots_) ages.push_back(boot.last_seen_ns);
  auto cut = ages.begin() + static_cast<std::ptrdiff_t>(boots_.size() - kMaxBoots);
  std::nth_element(ages.begin(), cut, ages.end());
  std::int64_t oldest_kept = *cut;
  std::erase_if(boots_, [&](const auto& item) { return item.second.last_seen_ns < oldest_kept; });
}

void DedupState::AppendAll(std::string& out) const {
  AppendVarint(out, boots_.size());
  for (const auto& [key, boot] : boots_) {
    AppendId(out, key.agent);
    AppendId(out, key.boot);
    AppendVarint(out, boot.next_sequence);
    AppendFixed(out, boot.last_seen_ns);
  }
  AppendVarint(out, contents_.size());
  for (const auto& [hash, received_ns] : contents_) {
    AppendId(out, hash);
    AppendFixed(out, received_ns);
  }
}

std::string DedupState::TakeChanges() {
  DedupState changes;
  for (const auto& [key, unused] : changed_boots_) {
    if (auto found = boots_.find(key); found != boots_.end()) changes.boots_.insert(*found);
  }
  for (const RandomId& hash : changed_contents_) {
    if (auto found = contents_.find(hash); found != contents_.end()) {
      changes.contents_.insert(*found);
    }
  }
  changed_boots_.clear();
  changed_contents_.clear();
  std::string out;
  changes.AppendAll(out);
  return out;
}

Result<void> DedupState::Apply(std::string_view bytes) {
  if (bytes.empty()) return {};
  ByteReader reader(bytes);
  std::uint64_t boots = reader.ReadVarint().value_or(0);
  for (std::uint64_t i = 0; i < boots && !reader.failed(); ++i) {
    BootKey key;
    Boot boot;
    key.agent = reader.ReadFixed<RandomId>().value_or(RandomId{});
    key.boot = reader.ReadFixed<RandomId>().value_or(RandomId{});
    boot.next_sequence = reader.ReadVarint().value_or(1);
    boot.last_seen_ns = reader.ReadFixed<std::int64_t>().value_or(0);
    if (!reader.failed()) SetBoot(key, boot);
  }
  std::uint64_t contents = reader.ReadVarint().value_or(0);
  std::vector<std::pair<std::int64_t, RandomId>> by_age;
  for (std::uint64_t i = 0; i < contents && !reader.failed(); ++i) {
    auto hash = reader.ReadFixed<RandomId>().value_or(RandomId{});
    by_age.emplace_back(reader.ReadFixed<std::int64_t>().value_or(0), hash);
  }
  if (reader.failed()) return Error(ErrorCode::kCorruption, "malformed deduplication state");
  std::sort(by_age.begin(), by_age.end());
  for (const auto& [received_ns, hash] : by_age) AddContent(hash, received_ns);
  return {};
}

AppendOutcome DedupGroup::Decide(const AppendRequest& request, std::int64_t now_ns) {
  if (request.id) {
    const BatchId& id = *request.id;
    BootKey key{id.agent, id.boot};
    auto queued = next_.find(key);
    std::uint64_t next = queued == next_.end() ? durable_.NextSequence(key) : queued->second;
    if (id.sequence < next) return AppendOutcome::kDuplicate;
    std::uint64_t first = id.first_sequence == 0 ? id.sequence : id.first_sequence;
    if (first > std::max(next, id.oldest_held)) return AppendOutcome::kGap;
    next_[key] = id.sequence + 1;
    return AppendOutcome::kStored;
  }
  if (request.content_hash) {
    const RandomId& hash = *request.content_hash;
    if (contents_.contains(hash) || durable_.HasContent(hash, now_ns)) {
      return AppendOutcome::kDuplicate;
    }
    contents_[hash] = true;
  }
  return AppendOutcome::kStored;
}

}  // namespace dunlin::store
