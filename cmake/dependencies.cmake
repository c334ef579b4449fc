# Every outside library as one dunlin_dep_* target. The libraries that the agent links come as
# archives when the agent is static, for all programs alike.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)

function(dunlin_dependency name pkg)
  cmake_parse_arguments(DEP "" "ARCHIVE" "" ${ARGN})
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${pkg})
  add_library(dunlin_dep_${name} INTERFACE)
  target_include_directories(dunlin_dep_${name} SYSTEM INTERFACE ${${name}_INCLUDE_DIRS})
  if(DUNLIN_STATIC_AGENT AND DEP_ARCHIVE)
    find_library(${name}_ARCHIVE ${DEP_ARCHIVE} REQUIRED)
    target_link_libraries(dunlin_dep_${name} INTERFACE ${${name}_ARCHIVE} Threads::Threads)
  else()
    target_link_libraries(dunlin_dep_${name} INTERFACE PkgConfig::${name})
  endif()
endfunction()

dunlin_dependency(uv libuv ARCHIVE libuv_a.a)
dunlin_dependency(zstd libzstd ARCHIVE libzstd.a)
dunlin_dependency(zlib zlib)
dunlin_dependency(cares libcares ARCHIVE libcares.a)
dunlin_dependency(prometheus prometheus-cpp-core)
dunlin_dependency(re2 re2)
dunlin_dependency(simdjson simdjson)
dunlin_dependency(sqlite sqlite3)
dunlin_dependency(curl libcurl)

# http-parser ships no pkg-config file.
add_library(dunlin_dep_http_parser INTERFACE)
if(DUNLIN_STATIC_AGENT)
  find_library(http_parser_LIBRARY libhttp_parser.a REQUIRED)
else()
  find_library(http_parser_LIBRARY http_parser REQUIRED)
endif()
target_link_libraries(dunlin_dep_http_parser INTERFACE ${http_parser_LIBRARY})

# Header-only.
pkg_check_modules(xxhash REQUIRED libxxhash)
add_library(dunlin_dep_xxhash INTERFACE)  # used with XXH_INLINE_ALL: nothing to link
target_include_directories(dunlin_dep_xxhash SYSTEM INTERFACE ${xxhash_INCLUDE_DIRS})
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET GLOBAL tomlplusplus)
pkg_check_modules(cli11 REQUIRED IMPORTED_TARGET GLOBAL CLI11)
