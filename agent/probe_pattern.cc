#include "agent/probe_pattern.h"

#include <algorithm>
#include <map>
#include <utility>

#include "agent/probe_pattern_parser.h"
#include "protocol/base/text.h"

namespace dunlin::agent {

/// Turns the tree into steps, from its end to its beginning: a step is written when all that may
/// follow it is there, except for loops, which close over a step reserved before.
class PatternCompiler {
 public:
  Result<LinePattern> Run(const PatternNode& tree) {
    const std::uint16_t match = Add({LinePattern::Step::Kind::kMatch});
    pattern_.first_step_ = Emit(tree, match);
    if (full_) {
      return Error(ErrorCode::kInvalidArgument,
                   Join("cannot use the pattern: it is too large (over ", kMaxPatternSteps,
                        " steps, with repetitions written out)"));
    }
    FindClasses();
    return std::move(pattern_);
  }

 private:
  using Step = LinePattern::Step;

  std::uint16_t Add(Step step) {
    if (pattern_.steps_.size() == kMaxPatternSteps) {
      full_ = true;
      return 0;
    }
    pattern_.steps_.push_back(step);
    return static_cast<std::uint16_t>(pattern_.steps_.size() - 1);
  }

  std::uint16_t SetIndex(const LinePattern::ByteSet& set) {
    auto found = std::find(pattern_.sets_.begin(), pattern_.sets_.end(), set);
    if (found == pattern_.sets_.end()) found = pattern_.sets_.insert(found, set);
    return static_cast<std::uint16_t>(found - pattern_.sets_.begin());
  }

  /// Writes `node` in front of `next`; returns where it begins.
  std::uint16_t Emit(const PatternNode& node, std::uint16_t next) {
    if (full_) return 0;
    switch (node.kind) {
      case PatternNode::Kind::kByte:
        return Add({Step::Kind::kByte, next, SetIndex(node.set)});
      case PatternNode::Kind::kLineStart:
        return Add({Step::Kind::kLineStart, next});
      case PatternNode::Kind::kLineEnd:
        return Add({Step::Kind::kLineEnd, next});
      case PatternNode::Kind::kSequence:
        for (auto child = node.children.rbegin(); child != node.children.rend(); ++child) {
          next = Emit(*child, next);
        }
        return next;
      case PatternNode::Kind::kAlternatives: {
        std::uint16_t first = Emit(node.children.back(), next);
        for (auto child = node.children.rbegin() + 1; child != node.children.rend(); ++child) {
          const std::uint16_t begin = Emit(*child, next);
          first = Add({Step::Kind::kSplit, begin, first});
        }
        return first;
      }
      case PatternNode::Kind::kRepeat:
        return EmitRepeat(node, next);
    }
    return next;
  }

  std::uint16_t EmitRepeat(const PatternNode& node, std::uint16_t next) {
    const PatternNode& body = node.children[0];
    unsigned needed = node.least;
    std::uint16_t first = next;
    if (node.most == PatternNode::kUnlimited) {
      const std::uint16_t loop = Add({Step::Kind::kSplit, 0, next});
      const std::uint16_t begin = Emit(body, loop);
      pattern_.steps_[loop].next = begin;
      // Once around is one of those that are needed.
      first = needed > 0 ? begin : loop;
      needed -= needed > 0 ? 1 : 0;
    } else {
      for (unsigned i = node.least; i < node.most && !full_; ++i) {
        const std::uint16_t begin = Emit(body, first);
        first = Add({Step::Kind::kSplit, begin, next});
      }
    }
    for (; needed > 0 && !full_; --needed) first = Emit(body, first);
    return first;
  }

  /// Splits the classes by each set in turn; those that nobody tells apart stay together.
  void FindClasses() {
    for (const LinePattern::ByteSet& set : pattern_.sets_) {
      std::map<std::pair<std::uint8_t, bool>, std::uint8_t> parts;
      for (unsigned byte = 0; byte < 256; ++byte) {
        auto part = parts.try_emplace({pattern_.classes_[byte], set[byte]},
                                      static_cast<std::uint8_t>(parts.size()));
        pattern_.classes_[byte] = part.first->second;
      }
      pattern_.class_count_ = parts.size();
    }
  }

  LinePattern pattern_;
  bool full_ = false;
};

Result<LinePattern> LinePattern::Compile(std::string_view text) {
  auto tree = ParsePattern(text);
  if (!tree) return std::move(tree).error();
  return PatternCompiler().Run(*tree);
}

}  // namespace dunlin::agent
