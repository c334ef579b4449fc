#include "agent/probe_pattern_parser.h"

#include <algorithm>
#include <utility>

#include "protocol/base/text.h"

namespace dunlin::agent {
namespace {

using Kind = PatternNode::Kind;
using ByteSet = std::bitset<256>;

constexpr int kMaxDepth = 64;
constexpr unsigned kMaxRepeat = 255;

unsigned char Byte(char c) { return static_cast<unsigned char>(c); }

ByteSet Range(unsigned char first, unsigned char last) {
  ByteSet set;
  for (unsigned byte = first; byte <= last; ++byte) set.set(byte);
  return set;
}

ByteSet Single(char c) { return Range(Byte(c), Byte(c)); }

ByteSet Digits() { return Range('0', '9'); }
ByteSet Letters() { return Range('a', 'z') | Range('A', 'Z'); }
ByteSet Spaces() { return Single(' ') | Range('\t', '\r'); }
ByteSet WordBytes() { return Letters() | Digits() | Single('_'); }

/// The classes of the C locale (POSIX.1, 7.3.1).
std::optional<ByteSet> NamedClass(std::string_view name) {
  if (name == "alpha") return Letters();
  if (name == "digit") return Digits();
  if (name == "alnum") return Letters() | Digits();
  if (name == "upper") return Range('A', 'Z');
  if (name == "lower") return Range('a', 'z');
  if (name == "space") return Spaces();
  if (name == "blank") return Single(' ') | Single('\t');
  if (name == "punct") {
    return Range('!', '/') | Range(':', '@') | Range('[', '`') | Range('{', '~');
  }
  if (name == "xdigit") return Digits() | Range('a', 'f') | Range('A', 'F');
  if (name == "cntrl") return Range(0, 31) | Range(127, 127);
  if (name == "print") return Range(' ', '~');
  if (name == "graph") return Range('!', '~');
  return std::nullopt;
}

/// What a backslash and this letter stand for, or nothing.
std::optional<ByteSet> EscapedClass(char c) {
  switch (c) {
    case 'd':
      return Digits();
    case 'D':
      return ~Digits();
    case 'w':
      return WordBytes();
    case 'W':
      return ~WordBytes();
    case 's':
      return Spaces();
    case 'S':
      return ~Spaces();
    case 't':
      return Single('\t');
    case 'r':
      return Single('\r');
    default:
      break;
  }
  // Any other letter or digit may mean something elsewhere; to take it for itself would be a guess.
  if ((Letters() | Digits())[Byte(c)]) return std::nullopt;
  return Single(c);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<PatternNode> Run() {
    constexpr std::string_view kIgnoreCase = "(?i)";
    if (text_.starts_with(kIgnoreCase)) {
      ignore_case_ = true;
      at_ = kIgnoreCase.size();
    }
    auto tree = Alternatives(0);
    if (tree && at_ < text_.size()) return Wrong("a ) has no (");
    return tree;
  }

 private:
  bool More() const { return at_ < text_.size(); }
  char Next() const { return text_[at_]; }
  bool Take(char c) {
    if (!More() || Next() != c) return false;
    ++at_;
    return true;
  }
  Error Wrong(std::string_view what) const {
    return Error(ErrorCode::kInvalidArgument,
                 Join("cannot read the pattern: ", what, " (at byte ", at_ + 1, ")"));
  }

  Result<PatternNode> Alternatives(int depth) {
    if (depth > kMaxDepth) return Wrong(Join("groups nest more than ", kMaxDepth, " deep"));
    PatternNode node{.kind = Kind::kAlternatives};
    do {
      auto sequence = Sequence(depth);
      if (!sequence) return sequence;
      node.children.push_back(std::move(*sequence));
    } while (Take('|'));
    return node;
  }

  Result<PatternNode> Sequence(int depth) {
    PatternNode node{.kind = Kind::kSequence};
    while (More() && Next() != '|' && Next() != ')') {
      auto atom = Atom(depth);
      if (!atom) return atom;
      auto repeated = Repeated(std::move(*atom));
      if (!repeated) return repeated;
      node.children.push_back(std::move(*repeated));
    }
    return node;
  }

  Result<PatternNode> Atom(int depth) {
    switch (Next()) {
      case '(':
        return Group(depth);
      case '[':
        return Bracket();
      case '^':
        ++at_;
        return PatternNode{.kind = Kind::kLineStart};
      case '$':
        ++at_;
        return PatternNode{.kind = Kind::kLineEnd};
      case '.':
        ++at_;
        return OneOf(ByteSet().set());
      case '*':
      case '+':
      case '?':
        return Wrong(Join("nothing stands before the ", Next()));
      case '\\': {
        ++at_;
        if (!More()) return Wrong("it ends with a backslash");
        auto set = EscapedClass(Next());
        if (!set) return Wrong(Join("\\", Next(), " has no meaning here"));
        ++at_;
        return OneOf(*set);
      }
      default:
        return Literal();
    }
  }

  Result<PatternNode> Group(int depth) {
    ++at_;
    if (Take('?') && !Take(':')) return Wrong("of the groups with a ? there is only (?:");
    auto inner = Alternatives(depth + 1);
    if (inner && !Take(')')) return Wrong("a ( has no )");
    return inner;
  }

  /// One character as written: all bytes of a UTF-8 sequence, so that a repetition applies to it.
  Result<PatternNode> Literal() {
    const std::size_t size = std::max<std::size_t>(Utf8SequenceLength(text_.substr(at_)), 1);
    if (size == 1) return OneOf(Single(text_[at_++]));
    PatternNode node{.kind = Kind::kSequence};
    for (std::size_t i = 0; i < size; ++i) node.children.push_back(OneOf(Single(text_[at_++])));
    return node;
  }

  Result<PatternNode> Bracket() {
    ++at_;
    const bool others = Take('^');
    ByteSet set;
    // A ] right at the start is one of the members (POSIX.1, 9.3.5).
    for (bool first = true; first || !More() || Next() != ']'; first = false) {
      if (!More()) return Wrong("a [ has no ]");
      auto member = BracketMember(set);
      if (!member) return std::move(member).error();
    }
    ++at_;
    if (ignore_case_) FoldCase(set);
    return PatternNode{.kind = Kind::kByte, .set = others ? ~set : set};
  }

  /// Adds a byte, a range or a named class to `set`.
  Result<void> BracketMember(ByteSet& set) {
    if (text_.substr(at_).starts_with("[:")) {
      std::size_t end = text_.find(":]", at_ + 2);
      auto named = end == std::string_view::npos ? std::nullopt
                                                 : NamedClass(text_.substr(at_ + 2, end - at_ - 2));
      if (!named) return Wrong("there is no such class of characters");
      set |= *named;
      at_ = end + 2;
      return {};
    }
    auto first = BracketByte();
    if (!first) return std::move(first).error();
    const bool range = More() && Next() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
    if (!range) {
      set |= *first;
      return {};
    }
    ++at_;
    auto last = BracketByte();
    if (!last) return std::move(last).error();
    if (first->count() != 1 || last->count() != 1 || Lowest(*first) > Lowest(*last)) {
      return Wrong("a range goes from a lower character to a higher one");
    }
    set |= Range(Lowest(*first), Lowest(*last));
    return {};
  }

  /// A member as written or escaped; an escape may stand for several bytes.
  Result<ByteSet> BracketByte() {
    if (Byte(Next()) >= 0x80) return Wrong("[] holds ASCII only; write (é|ü) for others");
    if (!Take('\\')) return Single(text_[at_++]);
    if (!More()) return Wrong("a [ has no ]");
    auto set = EscapedClass(Next());
    if (!set) return Wrong(Join("\\", Next(), " has no meaning here"));
    ++at_;
    return *set;
  }

  static unsigned char Lowest(const ByteSet& set) {
    unsigned byte = 0;
    while (byte < 255 && !set[byte]) ++byte;
    return static_cast<unsigned char>(byte);
  }

  Result<PatternNode> Repeated(PatternNode atom) {
    unsigned least = 0;
    unsigned most = PatternNode::kUnlimited;
    if (!TakeRepetition(least, most)) return atom;
    if (least > most) return Wrong("a repetition ends below its start");
    if (least > kMaxRepeat || (most != PatternNode::kUnlimited && most > kMaxRepeat)) {
      return Wrong(Join("a repetition goes beyond ", kMaxRepeat));
    }
    unsigned again = 0;
    // a+? is lazy in one dialect and (a+)? in another.
    if (TakeRepetition(again, again)) return Wrong("a repetition follows a repetition");
    PatternNode node{.kind = Kind::kRepeat, .least = least, .most = most};
    node.children.push_back(std::move(atom));
    return node;
  }

  bool TakeRepetition(unsigned& least, unsigned& most) {
    if (Take('*')) {
      least = 0;
      most = PatternNode::kUnlimited;
      return true;
    }
    if (Take('+')) {
      least = 1;
      most = PatternNode::kUnlimited;
      return true;
    }
    if (Take('?')) {
      least = 0;
      most = 1;
      return true;
    }
    return TakeBraces(least, most);
  }

  /// {m}, {m,} or {m,n}. Any other brace is a character like others, as JSON is full of them.
  bool TakeBraces(unsigned& least, unsigned& most) {
    if (!More() || Next() != '{') return false;
    std::size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) return false;
    std::vector<std::string_view> parts = Split(text_.substr(at_ + 1, end - at_ - 1), ',');
    auto low = ParseInteger<unsigned>(parts[0]);
    if (!low || parts.size() > 2) return false;
    unsigned high = *low;
    if (parts.size() == 2) {
      auto given = ParseInteger<unsigned>(parts[1]);
      if (!given && !parts[1].empty()) return false;
      high = given.value_or(PatternNode::kUnlimited);
    }
    least = *low;
    most = high;
    at_ = end + 1;
    return true;
  }

  PatternNode OneOf(ByteSet set) const {
    if (ignore_case_) FoldCase(set);
    return PatternNode{.kind = Kind::kByte, .set = set};
  }

  static void FoldCase(ByteSet& set) {
    for (unsigned upper = 'A'; upper <= 'Z'; ++upper) {
      const unsigned lower = upper - 'A' + 'a';
      if (set[upper] || set[lower]) set.set(upper).set(lower);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool ignore_case_ = false;
};

}  // namespace

Result<PatternNode> ParsePattern(std::string_view text) { return Parser(text).Run(); }

}  // namespace dunlin::agent
