/* Copies one item after the other out of the text, which is not changed. */
#include "base/list.h"

#include "base/memory.h"

#include <string.h>

char *list_next(const char **list)
{
    if (!*list)
        return NULL;
    size_t length = strcspn(*list, ",");
    char *item = memory_format("%.*s", (int)length, *list);
    *list = (*list)[length] == ',' ? *list + length + 1 : NULL;
    return item;
}
