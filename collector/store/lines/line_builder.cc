#include "collector/store/lines/line_builder.h"

#include "collector/store/lines/text_copy.h"

namespace dunlin::store {

void RowBuilder::Add(std::string_view fixed, const ValueColumn& column) {
  const ValueColumnInfo& info = column.info_;
  Step step;
  step.fixed = fixed.data();
  step.fixed_bytes = static_cast<std::uint32_t>(fixed.size());
  step.high = column.high_;
  step.low = column.low_;
  step.least = info.least;
  step.ends = column.ends_.empty() ? nullptr : column.ends_.data();
  step.text_bytes = info.least_bytes;
  if (info.least_bytes == info.most_bytes) step.digits = static_cast<std::uint8_t>(info.most_bytes);
  const bool one = column.plane_count_ == 1;
  if (info.kind == ValueKind::kNumber && column.plane_count_ <= 2) {
    step.how = one ? How::kByte : How::kTwoBytes;
  } else if (info.kind == ValueKind::kDictionary) {
    step.texts = column.bytes_;
    step.how = one ? How::kEntryOfByte : How::kEntryOfTwoBytes;
  }
  if (info.kind == ValueKind::kBytes) {
    step.texts = column.bytes_;
    step.how = How::kText;
  }
  if (step.how == How::kOther) step.column = &column;
  steps_.push_back(step);
}

inline char* RowBuilder::WriteNumber(const Step& step, std::uint64_t number, char* out) {
  if (step.digits == 2) {
    std::memcpy(out, &internal::kDigitPairs[number % 100 * 2], 2);
    return out + 2;
  }
  if (step.digits > 0) return WritePaddedDecimal(number, step.digits, out);
  return WriteDecimal(number, out);
}

inline char* RowBuilder::WriteEntry(const Step& step, std::uint32_t code, char* out) {
  if (step.ends == nullptr) {
    return CopyText(out, step.texts + std::size_t{code} * step.text_bytes, step.text_bytes);
  }
  const std::uint32_t begin = code == 0 ? 0 : step.ends[code - 1];
  return CopyText(out, step.texts + begin, step.ends[code] - begin);
}

char* RowBuilder::Write(std::uint32_t nth, char* out) const {
  for (const Step& step : steps_) {
    out = CopyLoose(out, step.fixed, step.fixed_bytes);
    switch (step.how) {
      case How::kByte:
        out = WriteNumber(step, step.least + step.high[nth], out);
        break;
      case How::kTwoBytes:
        out = WriteNumber(step, step.least + (std::uint64_t{step.high[nth]} << 8 | step.low[nth]),
                          out);
        break;
      case How::kEntryOfByte:
        out = WriteEntry(step, step.high[nth], out);
        break;
      case How::kEntryOfTwoBytes:
        out = WriteEntry(step, std::uint32_t{step.high[nth]} << 8 | step.low[nth], out);
        break;
      case How::kText:
        out = WriteEntry(step, nth, out);
        break;
      case How::kOther:
        out = step.column->Write(nth, out);
        break;
    }
  }
  return out;
}

}  // namespace dunlin::store
