# Fails when the static agent has grown past its budget, or links what it must not (the link map says).
# Usage: cmake -DAGENT=FILE -DMAP=FILE -DLIMIT_BYTES=N -P check_size.cmake
file(SIZE ${AGENT} size)
message(STATUS "dunlin-agent: ${size} bytes, limit ${LIMIT_BYTES}")
if(size GREATER LIMIT_BYTES)
  message(FATAL_ERROR "the agent is ${size} bytes, its budget is ${LIMIT_BYTES}")
endif()
# iostreams and locales, and what prints exceptions that nothing throws.
foreach(banned locale-inst.o ios_init.o cp-demangle.o vterminate.o)
  file(STRINGS ${MAP} found REGEX "\\(${banned}\\)" LIMIT_COUNT 1)
  if(found)
    message(FATAL_ERROR "the agent links ${banned}: ${found}")
  endif()
endforeach()
