#include "protocol/config/program_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <variant>

#include "protocol/base/file_system.h"
#include "protocol/base/text.h"
#include "protocol/base/units.h"
#include "protocol/config/config_file.h"
#include "protocol/config/nearest_name.h"

namespace dunlin::config {
namespace {

using std::chrono::nanoseconds;

struct Size {
  std::uint64_t* bytes;
};

using Target = std::variant<std::string*, bool*, std::uint64_t*, nanoseconds*, Size>;

struct Setting {
  std::string name;
  Target target;
  std::string help;
  bool required = false;
};

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

std::string VariableOf(std::string_view name) {
  std::string variable = "DUNLIN_";
  for (char c : name) {
    bool lower = c >= 'a' && c <= 'z';
    variable.push_back(c == '-' ? '_' : lower ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return variable;
}

std::string_view KindOf(const Target& target) {
  return std::visit(
      Overloaded{[](std::string*) { return "TEXT"; }, [](bool*) { return ""; },
                 [](std::uint64_t*) { return "NUMBER"; }, [](nanoseconds*) { return "DURATION"; },
                 [](Size) { return "SIZE"; }},
      target);
}

std::string DefaultOf(const Target& target) {
  return std::visit(Overloaded{[](std::string* text) { return *text; },
                               [](bool* flag) { return std::string(*flag ? "on" : "off"); },
                               [](std::uint64_t* number) { return std::to_string(*number); },
                               [](nanoseconds* duration) { return FormatDuration(*duration); },
                               [](Size size) { return FormatSize(*size.bytes); }},
                    target);
}

std::optional<bool> ParseBool(std::string_view text) {
  if (text == "true" || text == "on" || text == "yes" || text == "1") return true;
  if (text == "false" || text == "off" || text == "no" || text == "0") return false;
  return std::nullopt;
}

/// Reads `text` into what `target` points to.
Result<void> Store(const Target& target, const std::string& text) {
  return std::visit(
      Overloaded{[&](std::string* value) -> Result<void> {
                   *value = text;
                   return {};
                 },
                 [&](bool* value) -> Result<void> {
                   auto flag = ParseBool(text);
                   if (!flag) {
                     return Error(ErrorCode::kInvalidArgument,
                                  Join("\"", text, "\" is not a switch: give on or off"));
                   }
                   *value = *flag;
                   return {};
                 },
                 [&](std::uint64_t* value) -> Result<void> {
                   auto number = ParseInteger<std::uint64_t>(text);
                   if (!number) {
                     return Error(ErrorCode::kInvalidArgument,
                                  Join("\"", text, "\" is not a number: give a whole number, 0 or",
                                       " more, without a unit"));
                   }
                   *value = *number;
                   return {};
                 },
                 [&](nanoseconds* value) -> Result<void> {
                   auto duration = ParseDuration(text);
                   if (!duration) return std::move(duration).error();
                   *value = *duration;
                   return {};
                 },
                 [&](Size size) -> Result<void> {
                   auto bytes = ParseSize(text);
                   if (!bytes) return std::move(bytes).error();
                   *size.bytes = *bytes;
                   return {};
                 }},
      target);
}

/// A file says true, 64 or "10s": TOML's own types, so that "64" for a number is a mistake.
Result<void> CheckKind(const Target& target, const FileSetting& setting) {
  using Kind = FileSetting::Kind;
  std::string_view expected = std::visit(
      Overloaded{[&](std::string*) { return setting.kind == Kind::kString ? "" : "a string"; },
                 [&](bool*) { return setting.kind == Kind::kBool ? "" : "true or false"; },
                 [&](std::uint64_t*) {
                   return setting.kind == Kind::kInteger ? "" : "a whole number without quotes";
                 },
                 [&](nanoseconds*) {
                   return setting.kind == Kind::kString ? ""
                                                        : "a duration in quotes, as in \"10s\"";
                 },
                 [&](Size) {
                   return setting.kind != Kind::kBool ? "" : "a size, as in \"64MiB\" or 1024";
                 }},
      target);
  if (expected.empty()) return {};
  return Error(ErrorCode::kInvalidArgument, Join(setting.text, " is not ", expected));
}

/// Where a setting's value came from, for errors, and the value.
struct Given {
  std::string source;
  std::string text;
};

std::string Indent(std::string_view text, std::size_t column, std::size_t width) {
  std::string out;
  std::size_t used = column;
  for (std::string_view word : Split(text, ' ')) {
    if (used > column && used + 1 + word.size() > width) {
      out.push_back('\n');
      out.append(column, ' ');
      used = column;
    } else if (used > column) {
      out.push_back(' ');
      ++used;
    }
    out += word;
    used += word.size();
  }
  return out;
}

}  // namespace

struct ProgramOptions::Impl {
  std::string program;
  std::string description;
  std::string config_path;
  std::vector<Setting> settings;

  Setting* Find(std::string_view name) {
    for (Setting& setting : settings) {
      if (setting.name == name) return &setting;
    }
    return nullptr;
  }

  std::vector<std::string_view> Names() const {
    std::vector<std::string_view> names = {"help", "version"};
    for (const Setting& setting : settings) names.push_back(setting.name);
    return names;
  }

  std::string Help() const;
  /// Flags given, by name. Errors: kInvalidArgument, ready to print.
  Result<std::vector<std::pair<Setting*, Given>>> ReadFlags(
      const std::vector<std::string>& arguments, bool& help, bool& version);
  std::string UnknownArgument(std::string_view argument) const;
  std::vector<std::string> Apply(const std::vector<std::pair<Setting*, Given>>& flags,
                                 const Environment& environment);
};

std::string ProgramOptions::Impl::Help() const {
  constexpr std::size_t kColumn = 28;
  constexpr std::size_t kWidth = 100;
  std::string out = Join(program, ": ", description, "\n\nUsage: ", program);
  for (const Setting& setting : settings) {
    if (setting.required) out += Join(" --", setting.name, " ", KindOf(setting.target));
  }
  out += " [flags]\n\nFlags:\n";
  auto add = [&](std::string flag, const std::string& help) {
    flag.insert(0, "  ");
    bool fits = flag.size() + 2 <= kColumn;
    if (!fits) flag.push_back('\n');
    flag.append(fits ? kColumn - flag.size() : kColumn, ' ');
    out += flag;
    out += Indent(help, kColumn, kWidth) + "\n";
  };
  for (const Setting& setting : settings) {
    std::string_view kind = KindOf(setting.target);
    std::string fallback = DefaultOf(setting.target);
    std::string help = Join(setting.help, " [", setting.required ? "required" : "default: ",
                            setting.required   ? ""
                            : fallback.empty() ? "none"
                                               : fallback,
                            "; ", VariableOf(setting.name), "]");
    add(Join("--", setting.name, kind.empty() ? "" : " ", kind), help);
  }
  add("--version", "print the version and exit");
  add("--help", "print this and exit");
  out +=
      "\nA flag beats its environment variable (in brackets), which beats the configuration file "
      "(TOML,\n"
      "the same names without dashes in front), which beats the default. Durations take units "
      "(10s,\n"
      "500ms), sizes too (64MiB).\n";
  return out;
}

std::string ProgramOptions::Impl::UnknownArgument(std::string_view argument) const {
  if (!argument.starts_with('-')) return Join("unexpected argument \"", argument, "\"");
  std::string_view flag = argument.substr(0, argument.find('='));
  std::string_view name = flag.substr(std::min(flag.find_first_not_of('-'), flag.size()));
  std::string message = Join("unknown flag ", flag);
  std::string_view nearest = NearestName(name, Names());
  if (!nearest.empty()) message += Join(", did you mean --", nearest, "?");
  return message;
}

Result<std::vector<std::pair<Setting*, Given>>> ProgramOptions::Impl::ReadFlags(
    const std::vector<std::string>& arguments, bool& help, bool& version) {
  auto usage = [](std::string message) {
    return Error(ErrorCode::kInvalidArgument, std::move(message));
  };
  try {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    app.add_flag("--help,-h", help);
    app.add_flag("--version", version);
    std::vector<CLI::Option*> options;
    for (Setting& setting : settings) {
      std::string flag = "--" + setting.name;
      bool is_switch = std::holds_alternative<bool*>(setting.target);
      options.push_back(is_switch ? app.add_flag(flag) : app.add_option(flag));
      options.back()->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
    // CLI11 takes its arguments from the back.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    if (help || version) return std::vector<std::pair<Setting*, Given>>{};

    std::vector<std::string> unknown = app.remaining();
    if (!unknown.empty()) return usage(UnknownArgument(unknown.front()));
    std::vector<std::pair<Setting*, Given>> given;
    for (std::size_t i = 0; i < settings.size(); ++i) {
      std::vector<std::string> texts = options[i]->results();
      std::string flag = "--" + settings[i].name;
      if (texts.size() > 1) return usage(flag + " is given more than once");
      if (!texts.empty()) given.push_back({&settings[i], {flag, texts.front()}});
    }
    return given;
  } catch (const CLI::ArgumentMismatch& error) {
    std::string_view what = error.what();
    return usage(Join(what.substr(0, what.find(':')), " needs a value"));
  } catch (const CLI::Error& error) {
    return usage(error.what());
  }
}

std::vector<std::string> ProgramOptions::Impl::Apply(
    const std::vector<std::pair<Setting*, Given>>& flags, const Environment& environment) {
  std::vector<std::string> errors;
  auto from_flag = [&](const Setting& setting) -> const Given* {
    for (const auto& [owner, given] : flags) {
      if (owner == &setting) return &given;
    }
    return nullptr;
  };
  auto from_environment = [&](const Setting& setting) -> std::optional<Given> {
    std::string variable = VariableOf(setting.name);
    const char* text = environment(variable);
    if (text == nullptr || *text == '\0') return std::nullopt;
    return Given{variable, text};
  };
  auto store = [&](const Setting& setting, const Given& given) {
    auto stored = Store(setting.target, given.text);
    if (!stored) errors.push_back(Join(given.source, ": ", stored.error().message()));
  };

  // The file's values go in first; what beats them overwrites.
  std::vector<std::string_view> from_file;
  Setting& config = *Find("config");
  if (const Given* given = from_flag(config)) {
    store(config, *given);
  } else if (auto variable = from_environment(config)) {
    store(config, *variable);
  }
  if (!config_path.empty()) {
    auto contents = ReadFile(PosixFileSystem(), config_path);
    if (!contents) {
      return {Join("cannot read the configuration file: ", contents.error().message())};
    }
    auto file = ParseConfigFile(config_path, *contents);
    if (!file) return {file.error().message()};
    for (const FileSetting& entry : *file) {
      Setting* setting = Find(entry.key);
      if (setting == nullptr || setting == &config) {
        std::string message = Join(entry.where, ": unknown key ", entry.key);
        std::string_view nearest = NearestName(entry.key, Names());
        if (!nearest.empty()) message += Join(", did you mean ", nearest, "?");
        errors.push_back(message);
        continue;
      }
      from_file.push_back(setting->name);
      Given given{Join(entry.where, ": ", entry.key), entry.text};
      if (auto kind = CheckKind(setting->target, entry); !kind) {
        errors.push_back(Join(given.source, ": ", kind.error().message()));
      } else {
        store(*setting, given);
      }
    }
  }

  for (const Setting& setting : settings) {
    if (&setting == &config) continue;
    const Given* flag = from_flag(setting);
    std::optional<Given> variable = from_environment(setting);
    if (flag != nullptr) {
      store(setting, *flag);
    } else if (variable) {
      store(setting, *variable);
    } else if (setting.required &&
               std::find(from_file.begin(), from_file.end(), setting.name) == from_file.end()) {
      errors.push_back(Join("--", setting.name, " is required (or ", VariableOf(setting.name),
                            ", or ", setting.name, " in the configuration file)"));
    }
  }
  return errors;
}

ProgramOptions::ProgramOptions(std::string program, std::string description)
    : impl_(std::make_unique<Impl>()) {
  impl_->program = std::move(program);
  impl_->description = std::move(description);
  Add("config", &impl_->config_path, "configuration file in TOML");
}

ProgramOptions::~ProgramOptions() = default;

void ProgramOptions::Add(std::string name, std::string* value, std::string help) {
  impl_->settings.push_back({std::move(name), value, std::move(help)});
}

void ProgramOptions::Add(std::string name, bool* value, std::string help) {
  impl_->settings.push_back({std::move(name), value, std::move(help)});
}

void ProgramOptions::Add(std::string name, std::uint64_t* value, std::string help) {
  impl_->settings.push_back({std::move(name), value, std::move(help)});
}

void ProgramOptions::Add(std::string name, nanoseconds* value, std::string help) {
  impl_->settings.push_back({std::move(name), value, std::move(help)});
}

void ProgramOptions::AddSize(std::string name, std::uint64_t* bytes, std::string help) {
  impl_->settings.push_back({std::move(name), Size{bytes}, std::move(help)});
}

void ProgramOptions::AddRequired(std::string name, std::string* value, std::string help) {
  impl_->settings.push_back({std::move(name), value, std::move(help), /*required=*/true});
}

ProgramOptions::Outcome ProgramOptions::Evaluate(const std::vector<std::string>& arguments,
                                                 const Environment& environment) {
  auto refuse = [&](const std::vector<std::string>& errors) {
    Outcome outcome{2, {}, {}};
    for (const std::string& error : errors) {
      outcome.standard_error += Join(impl_->program, ": ", error, "\n");
    }
    outcome.standard_error += Join("Try ", impl_->program, " --help\n");
    return outcome;
  };
  bool help = false;
  bool version = false;
  auto flags = impl_->ReadFlags(arguments, help, version);
  if (!flags) return refuse({flags.error().message()});
  if (help) return {0, impl_->Help(), {}};
  if (version) return {0, Join(impl_->program, " " DUNLIN_VERSION "\n"), {}};
  std::vector<std::string> errors = impl_->Apply(*flags, environment);
  if (!errors.empty()) return refuse(errors);
  return {};
}

std::optional<int> ProgramOptions::Parse(int argc, char** argv) {
  Outcome outcome = Evaluate(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
                             [](const std::string& name) { return std::getenv(name.c_str()); });
  std::fputs(outcome.standard_output.c_str(), stdout);
  std::fputs(outcome.standard_error.c_str(), stderr);
  std::fflush(stdout);
  return outcome.exit_status;
}

}  // namespace dunlin::config
