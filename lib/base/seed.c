/* Checks the digits before strtoull reads them, which would accept white space and signs too. */
#include "base/seed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool seed_read(uint64_t *seed, const char *text)
{
    text += *text == '+';
    const size_t length = strspn(text, "0123456789");
    if (length == 0 || text[length] != '\0' || (length > 1 && *text == '0'))
        return false;
    errno = 0;
    const unsigned long long value = strtoull(text, NULL, 10);
    if (errno != 0)
        return false;
    *seed = value;
    return true;
}
