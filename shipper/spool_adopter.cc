#include "shipper/spool_adopter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/wire/messages.h"

namespace dunlin::shipper {
namespace {

/// How long the disk may take to remove a spool that is delivered; the next search finds what is
/// left of it.
constexpr std::chrono::seconds kRemovePatience{10};
/// Beside a connection that has the same collector to itself.
constexpr std::uint32_t kWindowBatches = 8;
constexpr std::size_t kWindowBytes = 256_KiB;
constexpr std::size_t kMemoryBytes = 512_KiB;

std::uint64_t DroppedLines(const Queue& queue) {
  std::uint64_t lines = 0;
  for (const Dropped& dropped : queue.dropped()) lines += dropped.lines;
  return lines;
}

}  // namespace

/// What the disk worker found.
struct SpoolAdopter::Search {
  std::unique_ptr<Spool> spool;  // none: nothing to adopt
  std::string name;
  wire::Hello hello;
  std::uint64_t waiting = 0;
  std::uint64_t unusable = 0;
  std::uint64_t held = 0;
  std::string problem;

  /// `own_boot`: of the agent that searches.
  void Run(const SpoolPlace& place, std::string_view own_boot) {
    SpoolFolder in(*place.fs, place.folder, place.options);
    auto orphans = in.Orphans(place.instance);
    if (!orphans) {
      problem = orphans.error().message();
      return;
    }
    CountHeld(place, own_boot, *orphans);
    for (const SpoolOrphan& orphan : *orphans) {
      if (spool) {
        ++waiting;
      } else {
        Try(in, orphan);
      }
    }
  }

 private:
  void Try(SpoolFolder& in, const SpoolOrphan& orphan) {
    auto adopted = in.Adopt(orphan);
    if (!adopted) {
      // Another agent was faster, most likely.
      if (adopted.error().code() == ErrorCode::kAlreadyExists) return;
      return NoteUnusable(adopted.error());
    }
    auto identity = wire::DecodeHello((*adopted)->identity());
    if (!identity) return NoteUnusable(identity.error());
    name = orphan.instance + "/" + orphan.boot;
    hello = std::move(*identity);
    spool = std::move(*adopted);
  }

  void NoteUnusable(const Error& error) {
    ++unusable;
    problem = error.message();
  }

  /// A boot of this instance that is no orphan is somebody's.
  void CountHeld(const SpoolPlace& place, std::string_view own_boot,
                 const std::vector<SpoolOrphan>& orphans) {
    auto boots = place.fs->List(Join(place.folder, "/", place.instance));
    if (!boots) return;
    held = static_cast<std::uint64_t>(
        std::count_if(boots->begin(), boots->end(), [&](const std::string& boot) {
          return IsSpoolBootName(boot) && boot != own_boot &&
                 std::none_of(orphans.begin(), orphans.end(), [&](const SpoolOrphan& orphan) {
                   return orphan.instance == place.instance && orphan.boot == boot;
                 });
        }));
  }
};

/// One spool on its way.
struct SpoolAdopter::Adopted {
  Adopted(net::Loop& loop, const Clock& clock, net::WorkerPool& worker, const SpoolPlace& place,
          SenderOptions sender_options, Search& found)
      : name(std::move(found.name)), queue({kMemoryBytes, WhenFull::kBlock}) {
    queue.Adopt(found.spool->first_sequence(), found.spool->last_sequence(),
                found.spool->accounts().unacknowledged);
    auto disk = std::make_shared<SpoolDisk>(
        clock, std::move(found.spool),
        [fs = place.fs, folder = place.folder,
         options = place.options](std::unique_ptr<Spool> spool) {
          return SpoolFolder(*fs, folder, options).Remove(std::move(spool));
        });
    tier = std::make_unique<SpoolTier>(
        loop, clock, worker, queue, std::move(disk),
        SpoolTierOptions{place.options, SpoolSync::kNever, place.timing, /*may_drop=*/false});
    const std::string token = std::move(sender_options.hello.token);
    sender_options.hello = std::move(found.hello);
    sender_options.hello.token = token;
    sender_options.session.window_batches = kWindowBatches;
    sender_options.session.window_bytes = kWindowBytes;
    sender = std::make_unique<Sender>(loop, clock, queue, std::move(sender_options));
  }

  std::string name;
  Queue queue;
  std::unique_ptr<SpoolTier> tier;
  std::unique_ptr<Sender> sender;
  bool welcomed = false;  // only then it is known what must not be dropped
  bool removing = false;
};

SpoolAdopter::SpoolAdopter(net::Loop& loop, const Clock& clock, net::WorkerPool& worker,
                           SpoolPlace place, SenderOptions sender)
    : loop_(loop),
      clock_(clock),
      worker_(worker),
      place_(std::move(place)),
      sender_options_(std::move(sender)),
      look_timer_(loop, [this] { Look(); }) {}

SpoolAdopter::~SpoolAdopter() { *alive_ = false; }

void SpoolAdopter::Start() { look_timer_.Start({}, place_.timing.look_interval); }

void SpoolAdopter::Look() {
  if (looking_ || adopted_) return;
  looking_ = true;
  auto search = std::make_shared<Search>();
  worker_.Submit(
      [search, place = place_, own_boot = ToHex(sender_options_.hello.boot_id)] {
        search->Run(place, own_boot);
      },
      [this, alive = alive_, search] {
        if (*alive) OnFound(search);
      });
}

void SpoolAdopter::OnFound(std::shared_ptr<Search> search) {
  looking_ = false;
  // Once per cause, not every minute.
  if (!search->problem.empty() && search->problem != finished_.problem) {
    log::Warn("a spool left behind cannot be used", {{"cause", search->problem}});
  }
  finished_.waiting_spools = search->waiting;
  finished_.unusable_spools = search->unusable;
  finished_.held_spools = search->held;
  finished_.problem = std::move(search->problem);
  if (!search->spool) return;
  log::Info("delivering a spool left behind", {{"spool", search->name}});
  ++finished_.spools;
  adopted_ = std::make_unique<Adopted>(loop_, clock_, worker_, place_, sender_options_, *search);
  adopted_->tier->on_change = [this] {
    adopted_->sender->OnQueued();
    CheckDone();
  };
  adopted_->sender->on_progress = [this] {
    if (adopted_->welcomed) adopted_->tier->Poke();
    CheckDone();
  };
  adopted_->sender->on_welcomed = [this] { OnWelcomed(); };
  adopted_->sender->Start({});
  CheckDone();
}

void SpoolAdopter::OnWelcomed() {
  adopted_->welcomed = true;
  adopted_->tier->Poke();
  CheckDone();
}

void SpoolAdopter::CheckDone() {
  if (adopted_->removing || adopted_->queue.batches() > 0) return;
  // What the collector would not have leaves a marker, behind the last batch of the old agent.
  if (adopted_->queue.has_marks()) {
    adopted_->queue.PushMarks(clock_);
    adopted_->sender->OnQueued();
    return;
  }
  adopted_->removing = true;
  adopted_->tier->Finish(kRemovePatience, [this] { Done(); });
}

void SpoolAdopter::Done() {
  finished_.acknowledged_lines += adopted_->queue.acknowledged_lines();
  finished_.dropped_lines += DroppedLines(adopted_->queue);
  ++finished_.finished_spools;
  log::Info("delivered a spool left behind",
            {{"spool", adopted_->name}, {"lines", adopted_->queue.acknowledged_lines()}});
  const bool works = adopted_->tier->status().last_error.empty();
  adopted_.reset();
  if (works) Look();  // else when it is time again
}

AdoptionStatistics SpoolAdopter::statistics() const {
  AdoptionStatistics all = finished_;
  if (!adopted_) return all;
  all.acknowledged_lines += adopted_->queue.acknowledged_lines();
  all.dropped_lines += DroppedLines(adopted_->queue);
  all.spooled_lines = adopted_->queue.spooled_lines();
  AdoptedSpool& current = all.current.emplace();
  current.name = adopted_->name;
  current.lines = all.spooled_lines;
  current.connected = adopted_->sender->connected();
  current.last_error = adopted_->tier->status().last_error;
  if (current.last_error.empty()) current.last_error = adopted_->sender->statistics().last_error;
  return all;
}

}  // namespace dunlin::shipper
