#pragma once

#include <string_view>

#include "collector/store/lines/lines_writer.h"
#include "collector/store/lines/template_dictionary.h"

namespace dunlin::store {

/// Whether a reader of the columns gets `text` back, byte for byte: proof that it can be given up.
/// `dictionary` is the one that the columns were written with.
bool ComesBack(const EncodedLines& columns, const TemplateDictionary& dictionary,
               std::uint32_t rows, std::string_view text);

}  // namespace dunlin::store
