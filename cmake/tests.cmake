# Catch2 2 or 3, whichever the distribution has; tests include tests/support/catch.h.
find_package(Catch2 REQUIRED)
include(Catch)

# dunlin_test(NAME LABEL label SOURCES a_test.cc ... LIBRARIES dunlin::x ...): one test binary whose
# cases CTest discovers one by one.
function(dunlin_test name)
  cmake_parse_arguments(T "" "LABEL" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_LIBRARIES} dunlin_test_main dunlin_options)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  catch_discover_tests(${name} TEST_PREFIX "${T_LABEL}: " DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS "${T_LABEL}" TIMEOUT 300)
endfunction()
