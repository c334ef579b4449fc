// AppendDouble without std::to_chars, whose tables and long doubles are 130 KB of a static program.
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>

#include "protocol/base/text.h"

namespace dunlin {
namespace {

constexpr int kMantissaBits = 52;
constexpr std::uint64_t kHiddenBit = std::uint64_t{1} << kMantissaBits;
constexpr int kLeastExponent = -1074;
constexpr double kTwoTo53 = 9007199254740992.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

/// A natural number below 2^1280, which is more than the exact steps below come to.
class BigNumber {
 public:
  explicit BigNumber(std::uint64_t value) {
    for (; value != 0; value >>= 32) words_[size_++] = static_cast<std::uint32_t>(value);
  }

  void Multiply(std::uint32_t factor) {
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      carry += std::uint64_t{words_[i]} * factor;
      words_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    if (carry != 0) words_[size_++] = static_cast<std::uint32_t>(carry);
  }
  void ShiftLeft(int bits) {
    for (; bits >= 31; bits -= 31) Multiply(1U << 31);
    Multiply(1U << bits);
  }
  void Add(const BigNumber& other) {
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < size_ || i < other.size_ || carry != 0; ++i) {
      if (i == size_) words_[size_++] = 0;
      carry += std::uint64_t{words_[i]} + other.WordAt(i);
      words_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  /// `other` is not greater.
  void Subtract(const BigNumber& other) {
    std::uint64_t borrow = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      const std::uint64_t difference = std::uint64_t{words_[i]} - other.WordAt(i) - borrow;
      words_[i] = static_cast<std::uint32_t>(difference);
      borrow = difference >> 63;
    }
    while (size_ > 0 && words_[size_ - 1] == 0) --size_;
  }
  /// Less than, equal to or greater than zero, as *this is than `other`.
  int Compare(const BigNumber& other) const {
    if (size_ != other.size_) return size_ < other.size_ ? -1 : 1;
    for (std::size_t i = size_; i-- > 0;) {
      if (words_[i] != other.words_[i]) return words_[i] < other.words_[i] ? -1 : 1;
    }
    return 0;
  }

 private:
  std::uint32_t WordAt(std::size_t i) const { return i < size_ ? words_[i] : 0; }

  std::array<std::uint32_t, 40> words_;
  std::size_t size_ = 0;  // words in use, the last one not zero
};

/// The same below 2^128, for values that are neither tiny nor huge.
class SmallNumber {
 public:
  explicit SmallNumber(std::uint64_t value) : value_(value) {}

  void Multiply(std::uint32_t factor) { value_ *= factor; }
  void ShiftLeft(int bits) { value_ <<= bits; }
  void Add(const SmallNumber& other) { value_ += other.value_; }
  void Subtract(const SmallNumber& other) { value_ -= other.value_; }
  int Compare(const SmallNumber& other) const {
    return static_cast<int>(value_ > other.value_) - static_cast<int>(value_ < other.value_);
  }

 private:
  __extension__ unsigned __int128 value_;
};

/// With exponents from here to 0 no number below gets past a hundred times 2^112.
constexpr int kLeastSmallExponent = -110;

/// a + b with `with`.
template <typename Number>
int CompareSum(const Number& a, const Number& b, const Number& with) {
  Number sum = a;
  sum.Add(b);
  return sum.Compare(with);
}

/// 0.d1d2d3... times 10^point.
struct Digits {
  std::string digits;
  int point = 0;
};

/// The shortest digits that read back as mantissa times 2^exponent, and of those the nearest to it:
/// Steele and White's free-format algorithm (PLDI 1990). All numbers are multiples of 1 / `scale`:
/// the value is rest / scale, and what lies between value - below and value + above reads back as
/// it.
template <typename Number>
Digits ShortestDigits(std::uint64_t mantissa, int exponent) {
  // Below a power of two the next number is half as far away.
  const int uneven = mantissa == kHiddenBit && exponent > kLeastExponent ? 1 : 0;
  const bool borders_too = mantissa % 2 == 0;  // they read back as the even one

  Number rest(mantissa);
  Number scale(1);
  Number above(1);
  Number below(1);
  rest.ShiftLeft(1 + uneven + (exponent > 0 ? exponent : 0));
  scale.ShiftLeft(1 + uneven + (exponent < 0 ? -exponent : 0));
  above.ShiftLeft(uneven + (exponent > 0 ? exponent : 0));
  below.ShiftLeft(exponent > 0 ? exponent : 0);

  Digits result;
  // 10^point is to be above the value and at most ten times it. From below, by what the bits say:
  // 1233 / 4096 is log10(2), nearly.
  const int log2 = exponent + static_cast<int>(std::bit_width(mantissa)) - 1;
  result.point = log2 * 1233 >> 12;
  for (int i = 0; i < result.point; ++i) scale.Multiply(10);
  for (int i = result.point; i < 0; ++i) {
    for (Number* number : {&rest, &above, &below}) number->Multiply(10);
  }
  for (;;) {
    const int order = CompareSum(rest, above, scale);
    if (borders_too ? order < 0 : order <= 0) break;
    scale.Multiply(10);
    ++result.point;
  }
  for (;;) {
    for (Number* number : {&rest, &above, &below}) number->Multiply(10);
    char digit = '0';
    for (; rest.Compare(scale) >= 0; ++digit) rest.Subtract(scale);
    const int to_below = rest.Compare(below);
    const int to_above = CompareSum(rest, above, scale);
    const bool may_stop = borders_too ? to_below <= 0 : to_below < 0;
    const bool may_step = borders_too ? to_above >= 0 : to_above > 0;
    if (may_step) {
      // Where both will do, the nearer one; of two as near, the even one.
      const int to_half = may_stop ? CompareSum(rest, rest, scale) : 1;
      if (to_half > 0 || (to_half == 0 && digit % 2 != 0)) ++digit;
    }
    result.digits.push_back(digit);
    if (may_stop || may_step) return result;
  }
}

/// Of a positive value.
Digits ShortestDigits(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  std::uint64_t mantissa = bits & (kHiddenBit - 1);
  const int biased = static_cast<int>(bits >> kMantissaBits);
  if (biased != 0) mantissa |= kHiddenBit;
  const int exponent = (biased == 0 ? 1 : biased) - 1 + kLeastExponent;
  if (exponent > 0 || exponent < kLeastSmallExponent) {
    return ShortestDigits<BigNumber>(mantissa, exponent);
  }
  return ShortestDigits<SmallNumber>(mantissa, exponent);
}

void AppendDigits(std::string& out, const Digits& number) {
  const auto size = static_cast<int>(number.digits.size());
  if (number.point <= 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-number.point), '0');
    out += number.digits;
  } else if (size <= number.point) {
    out += number.digits;
    out.append(static_cast<std::size_t>(number.point - size), '0');
  } else {
    out.append(number.digits, 0, static_cast<std::size_t>(number.point));
    out.push_back('.');
    out.append(number.digits, static_cast<std::size_t>(number.point), std::string::npos);
  }
}

/// Appends `value`, positive and no whole number, if few decimals are enough: nearly all values of
/// metrics are so many milliseconds, bytes or hundredths. A whole number below 2^53 divided by a
/// power of ten that is exact gives the double nearest to the quotient (Clinger, PLDI 1990).
bool AppendShort(std::string& out, double value) {
  double power = 1;
  for (std::size_t decimals = 1; decimals <= 15; ++decimals) {
    power *= 10;
    const double scaled = value * power;
    if (scaled >= kTwoTo53 / 4) return false;
    const auto whole = static_cast<std::uint64_t>(scaled + 0.5);
    if (static_cast<double>(whole) / power != value) continue;
    const std::size_t begin = out.size();
    AppendInteger(out, whole);
    const std::size_t digits = out.size() - begin;
    if (digits <= decimals) out.insert(begin, decimals + 1 - digits, '0');
    out.insert(out.size() - decimals, 1, '.');
    return true;
  }
  return false;
}

}  // namespace

void AppendDouble(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  if (std::signbit(value)) {
    out.push_back('-');
    value = -value;
  }
  if (value < kTwoTo64 && static_cast<double>(static_cast<std::uint64_t>(value)) == value) {
    return AppendInteger(out, static_cast<std::uint64_t>(value));
  }
  if (!AppendShort(out, value)) AppendDigits(out, ShortestDigits(value));
}

}  // namespace dunlin
