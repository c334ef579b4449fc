# Every outside library as one dunlin_dep_* target.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)

# The static agent is built from trimmed libraries where the distribution's sources can be had, else from
# its archives, which work as well and are larger. Either way the other programs take the shared ones.
set(DUNLIN_UNTRIMMED "")
if(DUNLIN_STATIC_AGENT)
  set(DUNLIN_SOURCES ${PROJECT_SOURCE_DIR}/build/sources)
  set(packages libuv1-dev libzstd-dev libc-ares-dev libmbedtls-dev)
  execute_process(
    COMMAND ${PROJECT_SOURCE_DIR}/packaging/fetch_sources.sh ${DUNLIN_SOURCES} ${packages}
    RESULT_VARIABLE fetched)
  foreach(package ${packages})
    if(NOT EXISTS ${DUNLIN_SOURCES}/${package}.version)
      list(APPEND DUNLIN_UNTRIMMED ${package})
    endif()
  endforeach()
  add_subdirectory(cmake/trimmed)
  if(DUNLIN_UNTRIMMED)
    list(JOIN DUNLIN_UNTRIMMED ", " missing)
    message(NOTICE "dunlin-agent takes the system's archives of ${missing}, for the reason above: "
      "without any of the sources it is about 1 MiB larger and not within its 2 MiB")
  endif()
endif()

# dunlin_agent_library(name ARCHIVE shared): what name is for the static agent, and for everything else.
function(dunlin_agent_library name archive shared)
  add_library(dunlin_dep_${name} INTERFACE)
  if(NOT DUNLIN_STATIC_AGENT)
    target_link_libraries(dunlin_dep_${name} INTERFACE ${shared})
    return()
  endif()
  if(TARGET dunlin_trimmed_${name})
    set(${name}_ARCHIVE dunlin_trimmed_${name})
  else()
    find_library(${name}_ARCHIVE ${archive} REQUIRED)
  endif()
  set(static $<BOOL:$<TARGET_PROPERTY:DUNLIN_STATIC>>)
  target_link_libraries(dunlin_dep_${name} INTERFACE
    $<IF:${static},${${name}_ARCHIVE},${shared}> Threads::Threads)
endfunction()

function(dunlin_dependency name pkg)
  cmake_parse_arguments(DEP "" "ARCHIVE" "" ${ARGN})
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${pkg})
  if(DEP_ARCHIVE)
    dunlin_agent_library(${name} ${DEP_ARCHIVE} PkgConfig::${name})
  else()
    add_library(dunlin_dep_${name} INTERFACE)
    target_link_libraries(dunlin_dep_${name} INTERFACE PkgConfig::${name})
  endif()
  target_include_directories(dunlin_dep_${name} SYSTEM INTERFACE ${${name}_INCLUDE_DIRS})
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
find_library(http_parser_LIBRARY http_parser REQUIRED)
dunlin_agent_library(http_parser libhttp_parser.a ${http_parser_LIBRARY})

# Nor does mbedTLS 2.28. The trimmed one is for all programs: see there. What protocol/net needs of
# it: TLS 1.2 over streams, both ends; ECDHE with ECDSA on P-256 and P-384; AES-GCM and
# ChaCha20-Poly1305; SHA-256, -384 and -512; keys and certificates from PEM, with dates, names, key
# usage and extended key usage checked; server name indication; the extended master secret; all alert
# messages. Randomness comes from the kernel through a callback. Tests also generate P-256 keys and
# write keys and certificates as PEM, which the agent's link leaves out.
if(TARGET dunlin_trimmed_mbedtls)
  add_library(dunlin_dep_mbedtls INTERFACE)
  target_link_libraries(dunlin_dep_mbedtls INTERFACE dunlin_trimmed_mbedtls)
else()
  set(archives "")
  set(shared "")
  foreach(part mbedtls mbedx509 mbedcrypto)
    find_library(${part}_LIBRARY ${part} REQUIRED)
    list(APPEND shared ${${part}_LIBRARY})
    find_library(${part}_PART_ARCHIVE lib${part}.a REQUIRED)
    list(APPEND archives ${${part}_PART_ARCHIVE})
  endforeach()
  add_library(dunlin_dep_mbedtls INTERFACE)
  set(static $<BOOL:$<TARGET_PROPERTY:DUNLIN_STATIC>>)
  target_link_libraries(dunlin_dep_mbedtls INTERFACE "$<IF:${static},${archives},${shared}>")
endif()

# Header-only.
pkg_check_modules(xxhash REQUIRED libxxhash)
add_library(dunlin_dep_xxhash INTERFACE)  # used with XXH_INLINE_ALL: nothing to link
target_include_directories(dunlin_dep_xxhash SYSTEM INTERFACE ${xxhash_INCLUDE_DIRS})
pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET GLOBAL tomlplusplus)
pkg_check_modules(cli11 REQUIRED IMPORTED_TARGET GLOBAL CLI11)
