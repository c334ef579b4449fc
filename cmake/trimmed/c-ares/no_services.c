/* c-ares can look up the port of a service by name, which nobody asks of it here. The C library's lookups
 * would bring in its name services, which load modules of the image when they are linked statically. */
#include <errno.h>
#include <netdb.h>

int getservbyname_r(const char* name, const char* protocol, struct servent* entry, char* buffer,
                    size_t size, struct servent** result) {
  (void)name, (void)protocol, (void)entry, (void)buffer, (void)size;
  *result = 0;
  return ENOENT;
}

int getservbyport_r(int port, const char* protocol, struct servent* entry, char* buffer, size_t size,
                    struct servent** result) {
  (void)port, (void)protocol, (void)entry, (void)buffer, (void)size;
  *result = 0;
  return ENOENT;
}
