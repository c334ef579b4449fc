#include "collector/store/append_queue.h"

#include <utility>

#include "protocol/base/text.h"

namespace dunlin::store {
namespace {

/// A group ends at whichever comes first: large enough to make syncs cheap, small enough that the
/// first batch of it does not wait for many others.
constexpr std::size_t kMaxGroupRecords = 1024;
constexpr std::uint64_t kMaxGroupBytes = 1_MiB;

std::uint64_t MemoryOf(const AppendRequest& request) {
  return request.payload.size() + request.context.size() + request.rows.text.size() +
         request.rows.rows.size() * sizeof(Row);
}

}  // namespace

std::uint64_t& AppendQueue::BytesOf(const AppendRequest& request) {
  return request.id ? agent_bytes_ : other_bytes_;
}

void AppendQueue::Push(AppendRequest request, Store::AppendDone done) {
  std::uint64_t bytes = MemoryOf(request);
  std::optional<Error> refused;
  {
    std::lock_guard lock(mutex_);
    std::uint64_t& queued = BytesOf(request);
    if (stopped_) {
      refused = Error(ErrorCode::kUnavailable, "the store is stopping");
    } else if (queued > 0 && queued + bytes > max_bytes_) {
      refused = Error(ErrorCode::kExhausted,
                      Join("cannot take more: ", queued, " bytes wait to be written"));
    } else {
      queued += bytes;
      items_.push_back({std::move(request), std::move(done), bytes});
    }
  }
  if (refused) {
    done(std::move(*refused));
  } else {
    changed_.notify_one();
  }
}

std::uint64_t AppendQueue::AskForFreeze() {
  std::uint64_t wanted = 0;
  {
    std::lock_guard lock(mutex_);
    wanted = ++freezes_wanted_;
  }
  changed_.notify_one();
  return wanted;
}

std::optional<AppendQueue::Work> AppendQueue::Take(std::uint64_t freezes_done) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock,
                [&] { return stopped_ || !items_.empty() || freezes_wanted_ > freezes_done; });
  if (stopped_) return std::nullopt;
  Work work;
  work.freezes_wanted = freezes_wanted_;
  std::uint64_t bytes = 0;
  while (!items_.empty() && work.group.size() < kMaxGroupRecords) {
    Item& next = items_.front();
    if (!work.group.empty() && bytes + next.request.payload.size() > kMaxGroupBytes) break;
    bytes += next.request.payload.size();
    BytesOf(next.request) -= next.bytes;
    work.group.push_back(std::move(next));
    items_.pop_front();
  }
  return work;
}

void AppendQueue::Stop() {
  std::deque<Item> unanswered;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    unanswered.swap(items_);
    agent_bytes_ = other_bytes_ = 0;
  }
  changed_.notify_all();
  for (Item& item : unanswered) {
    item.done(Error(ErrorCode::kUnavailable, "the store is stopping"));
  }
}

std::uint64_t AppendQueue::bytes() const {
  std::lock_guard lock(mutex_);
  return agent_bytes_ + other_bytes_;
}

}  // namespace dunlin::store
