#include "collector/ingest/batch_pipeline.h"

#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "collector/ingest/batch_rows.h"
#include "collector/ingest/entry_codec.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/wire/batch.h"

namespace dunlin::ingest {
namespace {

using collector::Protocol;
using collector::RejectReason;
using Finished = BatchPipeline::Finished;
using OnFinished = BatchPipeline::OnFinished;

/// Carries results from store and worker threads to the loop, with one wake-up for all that are
/// ready.
class ResultInbox : public std::enable_shared_from_this<ResultInbox> {
 public:
  ResultInbox(net::Loop& loop, OnFinished on_finished)
      : loop_(loop), on_finished_(std::move(on_finished)) {}

  /// Any thread.
  void Put(Finished finished) {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(finished));
    if (waiting_.size() == 1) {
      loop_.Post([self = shared_from_this()] { self->Deliver(); });
    }
  }

  /// Loop thread.
  void Close() { on_finished_ = nullptr; }

 private:
  void Deliver() {
    std::vector<Finished> ready;
    {
      std::lock_guard lock(mutex_);
      ready.swap(waiting_);
    }
    if (on_finished_) on_finished_(std::move(ready));
  }

  net::Loop& loop_;
  OnFinished on_finished_;  // loop thread
  std::mutex mutex_;        // of the next
  std::vector<Finished> waiting_;
};

/// What the batches of one connection have in common.
struct Sender {
  ConnectionId connection{};
  RandomId agent{};
  RandomId boot{};
  std::uint64_t first_held = 1;
  OutputStreams streams;
  std::string context;
};

struct TimedBatch {
  ReceivedBatch batch;
  SteadyTime arrived;
};

/// The part that runs on workers and store threads. Thread-safe; lives until the last append it
/// made is answered.
class BatchIntake : public std::enable_shared_from_this<BatchIntake> {
 public:
  BatchIntake(store::Store& store, collector::CollectorMetrics& metrics, const Clock& clock,
              std::shared_ptr<ResultInbox> inbox)
      : store_(store), metrics_(metrics), clock_(clock), inbox_(std::move(inbox)) {}

  void Store(const std::shared_ptr<const Sender>& sender, TimedBatch timed) {
    ReceivedBatch& batch = timed.batch;
    store::AppendRequest request;
    request.id = store::BatchId{sender->agent, sender->boot, batch.sequence, sender->first_held,
                                batch.first_sequence};
    std::string malformed = batch.malformed;
    if (malformed.empty()) malformed = Decode(*sender, batch, request);
    if (!malformed.empty()) MakeEmpty(request);

    Outcome outcome{sender->connection, batch.sequence, batch.entries,       batch.raw_bytes,
                    batch.memory_bytes, timed.arrived,  std::move(malformed)};
    store_.Append(std::move(request), [self = shared_from_this(), outcome = std::move(outcome)](
                                          Result<store::AppendOutcome> appended) {
      self->Finish(outcome, std::move(appended));
    });
  }

  void Refuse(const Sender& sender, const ReceivedBatch& batch, std::string reason) {
    inbox_->Put({sender.connection,
                 batch.memory_bytes,
                 {batch.sequence, BatchResult::Fate::kRefused, std::move(reason), false}});
  }

 private:
  /// A batch on its way through the store, without its bytes.
  struct Outcome {
    ConnectionId connection{};
    std::uint64_t sequence = 0;
    std::uint64_t entries = 0;
    std::uint64_t raw_bytes = 0;
    std::uint64_t memory_bytes = 0;
    SteadyTime arrived;
    std::string malformed;
  };

  /// Answers why not, or nothing.
  std::string Decode(const Sender& sender, ReceivedBatch& batch, store::AppendRequest& request) {
    auto view = wire::DecodeBatch(batch.payload);
    if (!view) return view.error().message();
    auto rows = readers_.Read(*view, sender.streams);
    if (!rows) return rows.error().message();
    request.payload_format = static_cast<std::uint32_t>(PayloadFormat::kAgentBatch);
    request.context = sender.context;
    request.rows = std::move(*rows);
    request.payload = std::move(batch.payload);
    return {};
  }

  /// A rejected batch takes its place without entries, so that the numbering goes on; the agent
  /// knows better what was in it and marks the gap.
  static void MakeEmpty(store::AppendRequest& request) {
    request.payload_format = static_cast<std::uint32_t>(PayloadFormat::kEntries);
    request.payload = EntryEncoder().Finish();
  }

  void Finish(const Outcome& outcome, Result<store::AppendOutcome> appended) {
    BatchResult result;
    result.sequence = outcome.sequence;
    if (!appended) {
      result.fate = BatchResult::Fate::kRefused;
      result.reason = appended.error().message();
      result.slow_down = true;
    } else if (*appended == store::AppendOutcome::kGap) {
      result.fate = BatchResult::Fate::kRefused;
      result.reason = Join("batch ", outcome.sequence, " came before an earlier one");
    } else if (!outcome.malformed.empty()) {
      result.fate = BatchResult::Fate::kRejected;
      result.reason = outcome.malformed;
    }
    if (appended && *appended == store::AppendOutcome::kStored) Count(outcome);
    inbox_->Put({outcome.connection, outcome.memory_bytes, std::move(result)});
  }

  void Count(const Outcome& outcome) {
    if (outcome.malformed.empty()) {
      metrics_.CountIngested(Protocol::kAgent, outcome.entries, outcome.raw_bytes);
    } else {
      metrics_.CountRejectedBatch();
      metrics_.CountRejected(Protocol::kAgent, RejectReason::kMalformed, outcome.entries);
      log::Warn("batch_rejected", {{"sequence", outcome.sequence},
                                   {"lines", outcome.entries},
                                   {"reason", outcome.malformed}});
    }
    std::chrono::duration<double> took = clock_.Steady() - outcome.arrived;
    metrics_.ObserveAcknowledge(took.count());
  }

  store::Store& store_;
  collector::CollectorMetrics& metrics_;
  const Clock& clock_;
  std::shared_ptr<ResultInbox> inbox_;
  BatchRowReaders readers_;
};

struct Lane {
  std::shared_ptr<const Sender> sender;
  std::deque<TimedBatch> waiting;
  bool running = false;
};

}  // namespace

// Shared with the completions of the worker pool, which may outlive the pipeline.
struct BatchPipeline::Impl : std::enable_shared_from_this<BatchPipeline::Impl> {
  Impl(net::Loop& loop, net::WorkerPool& worker_pool, store::Store& store,
       collector::CollectorMetrics& metrics, const Clock& the_clock, OnFinished on_finished)
      : workers(worker_pool),
        clock(the_clock),
        inbox(std::make_shared<ResultInbox>(loop, std::move(on_finished))),
        intake(std::make_shared<BatchIntake>(store, metrics, the_clock, inbox)) {}

  void Run(ConnectionId connection, Lane& lane) {
    lane.running = true;
    auto batches = std::make_shared<std::deque<TimedBatch>>(std::move(lane.waiting));
    lane.waiting.clear();
    workers.Submit(
        [keep = intake, sender = lane.sender, batches] {
          for (TimedBatch& timed : *batches) keep->Store(sender, std::move(timed));
        },
        [weak = weak_from_this(), connection] {
          if (auto self = weak.lock()) self->OnRun(connection);
        });
  }

  void OnRun(ConnectionId connection) {
    auto lane = lanes.find(connection);
    if (lane == lanes.end()) return;
    lane->second.running = false;
    if (!lane->second.waiting.empty()) Run(connection, lane->second);
  }

  net::WorkerPool& workers;
  const Clock& clock;
  std::shared_ptr<ResultInbox> inbox;
  std::shared_ptr<BatchIntake> intake;
  std::map<ConnectionId, Lane> lanes;
};

BatchPipeline::BatchPipeline(net::Loop& loop, net::WorkerPool& workers, store::Store& store,
                             collector::CollectorMetrics& metrics, const Clock& clock,
                             OnFinished on_finished)
    : impl_(std::make_shared<Impl>(loop, workers, store, metrics, clock, std::move(on_finished))) {}

BatchPipeline::~BatchPipeline() { impl_->inbox->Close(); }

void BatchPipeline::Open(ConnectionId connection, const AgentIdentity& identity) {
  auto sender = std::make_shared<Sender>();
  sender->connection = connection;
  sender->agent = identity.agent;
  sender->boot = identity.boot;
  sender->first_held = identity.first_sequence;
  sender->streams = StreamsOf(identity);
  sender->context = EncodeContext(sender->streams);
  impl_->lanes[connection].sender = std::move(sender);
}

void BatchPipeline::Submit(ConnectionId connection, ReceivedBatch batch) {
  Lane& lane = impl_->lanes.at(connection);
  lane.waiting.push_back({std::move(batch), impl_->clock.Steady()});
  if (!lane.running) impl_->Run(connection, lane);
}

void BatchPipeline::Close(ConnectionId connection) {
  auto lane = impl_->lanes.find(connection);
  if (lane == impl_->lanes.end()) return;
  for (const TimedBatch& timed : lane->second.waiting) {
    impl_->intake->Refuse(*lane->second.sender, timed.batch, "the connection ended");
  }
  impl_->lanes.erase(lane);
}

}  // namespace dunlin::ingest
