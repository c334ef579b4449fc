# Catch2 2 or 3, whichever the distribution has; tests include tests/support/catch.h.
find_package(Catch2 REQUIRED)
include(Catch)

# The test binaries of what runs on several threads: worth building under TSan.
add_custom_target(threaded_tests)

# What the tests of the release build need: the programs, the test binaries that are worth running with the
# agent as it is shipped, and what integration tests start.
add_custom_target(release_tests DEPENDS programs)

# dunlin_test(NAME [THREADED] [SHIPPED] LABEL label SOURCES a_test.cc ... LIBRARIES dunlin::x ...): one test binary
# whose cases CTest discovers one by one.
function(dunlin_test name)
  cmake_parse_arguments(T "THREADED;SHIPPED" "LABEL" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_LIBRARIES} dunlin_test_main dunlin_options)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  catch_discover_tests(${name} TEST_PREFIX "${T_LABEL}: " PROPERTIES LABELS "${T_LABEL}" TIMEOUT 300)
  if(T_THREADED)
    add_dependencies(threaded_tests ${name})
  endif()
  if(T_SHIPPED)
    add_dependencies(release_tests ${name})
  endif()
endfunction()
