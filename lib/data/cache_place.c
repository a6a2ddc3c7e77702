/* One place for the process. */
#include "data/cache_place.h"

#include "base/memory.h"

static char *chosen;
static CachePlace place = {.small = CACHE_SMALL};

void cache_place_set(const char *directory, bool shows_progress)
{
    char *copy = memory_string(directory);
    memory_free(chosen);
    chosen = copy;
    place.directory = chosen;
    place.shows_progress = shows_progress;
}

void cache_place_set_small(int64_t small)
{
    place.small = small;
}

CachePlace cache_place(void)
{
    return place;
}
