# dunlin_options: warnings and sanitizers for every target of ours.
# dunlin_no_exceptions: in addition, for everything the agent links.
add_library(dunlin_options INTERFACE)
target_include_directories(dunlin_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(dunlin_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
  -ffunction-sections -fdata-sections)
if(DUNLIN_WARNINGS_AS_ERRORS)
  target_compile_options(dunlin_options INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 and 13 see overlapping copies in std::string (GCC bug 105329) and uninitialised reads in
  # std::variant (GCC bug 105562) that are not there.
  target_compile_options(dunlin_options INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
target_compile_definitions(dunlin_options INTERFACE DUNLIN_VERSION="${PROJECT_VERSION}")
target_link_options(dunlin_options INTERFACE -Wl,--gc-sections)

if(DUNLIN_SANITIZE)
  # vptr checks need run-time type information, which the agent's libraries are built without.
  target_compile_options(dunlin_options INTERFACE -fsanitize=${DUNLIN_SANITIZE} -fno-sanitize=vptr
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(dunlin_options INTERFACE -fsanitize=${DUNLIN_SANITIZE})
endif()

if(DUNLIN_FUZZ)
  # Coverage for the fuzzer to steer by; its main function comes with the targets in tests/fuzz.
  target_compile_options(dunlin_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(dunlin_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

add_library(dunlin_no_exceptions INTERFACE)
target_compile_options(dunlin_no_exceptions INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti>)
target_link_libraries(dunlin_no_exceptions INTERFACE dunlin_options)
