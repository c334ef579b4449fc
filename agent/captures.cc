#include "agent/captures.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/base/text.h"

namespace dunlin::agent {

Captures::Captures(net::Loop& loop, const Clock& clock, shipper::Shipper& shipper,
                   const StandardOutputs& outputs, bool passthrough)
    : loop_(loop), clock_(clock), shipper_(shipper) {
  if (!passthrough) return;
  for (std::size_t i = 0; i < shipper::kOutputs; ++i) {
    passthrough_[i] =
        std::make_unique<Passthrough>(loop, outputs.destination(shipper::OutputAt(i)));
    passthrough_[i]->on_idle = [this] {
      if (on_passthrough_idle) on_passthrough_idle();
    };
  }
}

void Captures::Open(net::ChildProcess& child) {
  Close();
  for (const auto& capture : captures_) Add(past_, *capture);
  captures_.clear();
  if (child.standard_output) {
    StartCapture(wire::Output::kStdout, std::move(child.standard_output));
  }
  if (child.standard_error) StartCapture(wire::Output::kStderr, std::move(child.standard_error));
}

bool Captures::all_ended() const {
  return std::all_of(captures_.begin(), captures_.end(),
                     [](const auto& capture) { return capture->ended(); });
}

void Captures::Drain() {
  for (auto& capture : captures_) capture->Drain();
}

void Captures::Resume() {
  for (auto& capture : captures_) capture->Resume();
}

void Captures::Close() {
  for (auto& capture : captures_) {
    capture->on_end = nullptr;
    capture->Drain();
    capture->Close();
  }
}

bool Captures::passthrough_idle() const {
  return std::all_of(passthrough_.begin(), passthrough_.end(),
                     [](const auto& one) { return !one || one->idle(); });
}

void Captures::AddLine(std::string_view line) {
  const std::string text = Join(line, "\n");
  auto room = shipper_.Reserve(wire::Output::kStderr, text.size());
  const std::size_t size = std::min(room.size(), text.size());
  std::memcpy(room.data(), text.data(), size);
  recent_lines_.Add(wire::Output::kStderr, text);
  shipper_.Commit(wire::Output::kStderr, size);
}

Captures::Totals Captures::totals() const {
  Totals totals = past_;
  for (const auto& capture : captures_) Add(totals, *capture);
  for (const auto& one : passthrough_) {
    if (one) totals.passthrough_dropped_bytes += one->dropped_bytes();
  }
  return totals;
}

void Captures::StartCapture(wire::Output output, net::Descriptor pipe) {
  auto capture = std::make_unique<Capture>(loop_, clock_, output, std::move(pipe), shipper_);
  capture->on_chunk = [this, output](std::string_view chunk) { OnChunk(output, chunk); };
  capture->on_end = [this] {
    if (all_ended() && on_ended) on_ended();
  };
  capture->Start();
  captures_.push_back(std::move(capture));
}

void Captures::OnChunk(wire::Output output, std::string_view chunk) {
  recent_lines_.Add(output, chunk);
  if (auto& passthrough = passthrough_[shipper::IndexOf(output)]) passthrough->Write(chunk);
  if (on_chunk) on_chunk(output, chunk);
}

void Captures::Add(Totals& totals, const Capture& capture) {
  totals.bytes[shipper::IndexOf(capture.output())] += capture.bytes();
  totals.reads += capture.reads();
  totals.unread_bytes += capture.unread_bytes();
  totals.blocked_time += capture.blocked_time();
}

}  // namespace dunlin::agent
