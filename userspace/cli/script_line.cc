// SPDX-License-Identifier: Apache-2.0
#include "cli/script_line.h"

#include <optional>
#include <utility>
#include <vector>

namespace netchannel::cli {
namespace {

constexpr char kShell[] = "/bin/sh";
constexpr size_t kMaxLine = 256;  // BINPRM_BUF_SIZE: the kernel reads no more

std::vector<std::string_view> WordsOf(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r";
  std::vector<std::string_view> words;
  for (size_t at = line.find_first_not_of(kBlanks); at != std::string_view::npos;) {
    const size_t end = line.find_first_of(kBlanks, at);
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

// The words after env's own name, taken one by one.
class EnvArguments {
 public:
  explicit EnvArguments(std::vector<std::string_view> words) : words_(std::move(words)) {}

  // The first that is neither an option of env's nor NAME=VALUE.
  std::optional<std::string_view> Program() {
    while (at_ < words_.size()) {
      std::string_view word = words_[at_++];
      if (word.starts_with("--")) {
        word = LongOption(word);
      } else if (word.starts_with("-")) {
        word = ShortOptions(word.substr(1));
      }
      if (!word.empty() && word.find('=') == std::string_view::npos) return word;
    }
    return std::nullopt;
  }

 private:
  // What of the option is a word of the command: empty, or the first that --split-string has.
  std::string_view LongOption(std::string_view option) {
    constexpr std::string_view kSplit = "--split-string=";
    if (option.starts_with(kSplit)) return option.substr(kSplit.size());
    if (option == "--unset" || option == "--chdir") ++at_;
    return {};
  }
  std::string_view ShortOptions(std::string_view letters) {
    for (size_t i = 0; i < letters.size(); ++i) {
      if (letters[i] == 'S') return letters.substr(i + 1);
      if (letters[i] == 'u' || letters[i] == 'C') {
        if (i + 1 == letters.size()) ++at_;  // its value is the next word
        return {};
      }
    }
    return {};
  }

  const std::vector<std::string_view> words_;
  size_t at_ = 0;
};

}  // namespace

std::string InterpreterOf(std::string_view data) {
  if (!data.starts_with("#!")) return kShell;
  const std::string_view rest = data.substr(2, kMaxLine - 2);
  std::vector<std::string_view> words = WordsOf(rest.substr(0, rest.find('\n')));
  if (words.empty()) return kShell;
  const std::string_view program = words.front();
  if (!program.ends_with("/env")) return std::string(program);
  words.erase(words.begin());
  return std::string(EnvArguments(std::move(words)).Program().value_or(program));
}

}  // namespace netchannel::cli
