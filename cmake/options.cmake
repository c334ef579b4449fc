# dunlin_options: warnings and sanitizers for every target of ours.
# dunlin_no_exceptions: in addition, for everything the agent links.
add_library(dunlin_options INTERFACE)
target_include_directories(dunlin_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(dunlin_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Werror
  -ffunction-sections -fdata-sections)
target_compile_definitions(dunlin_options INTERFACE DUNLIN_VERSION="${PROJECT_VERSION}")
target_link_options(dunlin_options INTERFACE -Wl,--gc-sections)

if(DUNLIN_SANITIZE)
  # vptr checks need run-time type information, which the agent's libraries are built without.
  target_compile_options(dunlin_options INTERFACE -fsanitize=${DUNLIN_SANITIZE} -fno-sanitize=vptr
    -fno-sanitize-recover=all -fno-omit-frame-pointer
    # g++ 12 sees false uninitialised reads in instrumented std::variant and std::regex.
    -Wno-maybe-uninitialized)
  target_link_options(dunlin_options INTERFACE -fsanitize=${DUNLIN_SANITIZE})
endif()

add_library(dunlin_no_exceptions INTERFACE)
target_compile_options(dunlin_no_exceptions INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti>)
target_link_libraries(dunlin_no_exceptions INTERFACE dunlin_options)
