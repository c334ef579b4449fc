# Fails when the static agent has grown past its budget, links what it must not, or keeps within its budget
# by lacking TLS: the link map says.
# Usage: cmake -DAGENT=FILE -DMAP=FILE -DLIMIT_BYTES=N -DUNTRIMMED=PACKAGES -P check_size.cmake
# The budget is that of trimmed libraries; an agent that is past it with any of the system's archives is told, and
# the test skipped.
file(SIZE ${AGENT} size)
message(STATUS "dunlin-agent: ${size} bytes, limit ${LIMIT_BYTES}")
if(UNTRIMMED AND size GREATER LIMIT_BYTES)
  message(STATUS "skipped: past the limit with the system's archives of ${UNTRIMMED}, of which nothing is promised")
  return()
endif()
if(size GREATER LIMIT_BYTES)
  message(FATAL_ERROR "the agent is ${size} bytes, its budget is ${LIMIT_BYTES}")
endif()
foreach(needed mbedtls_ssl_handshake mbedtls_ssl_read mbedtls_ssl_write)
  file(STRINGS ${MAP} found REGEX " ${needed}$" LIMIT_COUNT 1)
  if(NOT found)
    message(FATAL_ERROR "the agent lacks TLS: it does not link ${needed}")
  endif()
endforeach()
# iostreams and locales; what prints exceptions that nothing throws; what loads modules of the image; users,
# services and names through the C library.
foreach(banned locale-inst.o ios_init.o cp-demangle.o vterminate.o dl-open.o nss_module.o getaddrinfo.o
    getpwuid_r.o getpwnam_r.o getgrnam_r.o getsrvbynm_r.o getsrvbypt_r.o gethstbynm_r.o)
  file(STRINGS ${MAP} found REGEX "\\(${banned}\\)" LIMIT_COUNT 1)
  if(found)
    message(FATAL_ERROR "the agent links ${banned}: ${found}")
  endif()
endforeach()
