/* Passes each call on to the way that the group has (group_way.h), and builds shares, agreement and
 * notice on its functions. */
#include "base/group.h"

#include "base/group_watch.h"
#include "base/group_way.h"
#include "base/interrupt.h"
#include "base/memory.h"

#include <string.h>

static const GroupWay *whole = &group_serial;
static bool is_alone;

static const GroupWay *way(void)
{
    return is_alone ? &group_serial : whole;
}

void group_use(const GroupWay *new_way)
{
    whole = new_way;
}

int group_rank(void)
{
    return way()->rank;
}

int group_size(void)
{
    return way()->size;
}

bool group_is_first(void)
{
    return way()->rank == 0;
}

const GroupWay *group_way(void)
{
    return way();
}

int64_t group_start(int64_t count, int rank)
{
    const int64_t size = way()->size;
    return count / size * rank + count % size * rank / size;
}

GroupShare group_share(int64_t count)
{
    const int rank = way()->rank;
    const int64_t first = group_start(count, rank);
    return (GroupShare){.first = first, .count = group_start(count, rank + 1) - first};
}

void group_sum_floats(float *values, size_t count)
{
    group_watch_enter();
    way()->sum_floats(values, count);
    group_watch_leave();
}

void group_sum_doubles(double *values, size_t count)
{
    group_watch_enter();
    way()->sum_doubles(values, count);
    group_watch_leave();
}

void group_collect_doubles(double *values, size_t count)
{
    group_watch_enter();
    way()->collect_doubles(values, count);
    group_watch_leave();
    if (!group_is_first())
        memset(values, 0, count * sizeof *values);
}

void group_broadcast(void *data, size_t bytes)
{
    group_watch_enter();
    way()->broadcast(data, bytes, 0);
    group_watch_leave();
}

void group_bring(void *data, size_t bytes, int from)
{
    group_watch_enter();
    way()->bring(data, bytes, from);
    group_watch_leave();
}

void group_gather(void *rows, int64_t count, size_t bytes)
{
    const int size = way()->size;
    if (size == 1)
        return;
    size_t *starts = memory_small((size_t)size + 1, sizeof *starts);
    for (int rank = 0; rank <= size; rank++)
        starts[rank] = (size_t)group_start(count, rank) * bytes;
    group_gather_parts(rows, starts);
    memory_free(starts);
}

void group_gather_parts(void *data, const size_t *starts)
{
    group_watch_enter();
    way()->gather(data, starts);
    group_watch_leave();
}

int group_largest(int value)
{
    group_watch_enter();
    const int largest = way()->largest(value);
    group_watch_leave();
    return largest;
}

bool group_any(bool condition)
{
    return group_largest(condition) != 0;
}

void group_barrier(void)
{
    (void)group_largest(0);
}

bool group_agree(bool ok, Error *error)
{
    /* The first process has the largest number. */
    const int number = way()->size - way()->rank;
    const int failed = group_largest(ok ? 0 : number);
    if (failed == 0)
        return true;
    group_watch_enter();
    way()->broadcast(error, sizeof *error, way()->size - failed);
    group_watch_leave();
    return false;
}

bool group_check_same(uint64_t value, const char *where, Error *error)
{
    uint64_t first = value;
    group_broadcast(&first, sizeof first);
    return !group_any(first != value) ||
           error_input(error,
                       "%s: not all processes find the same there; expected files and directories "
                       "that they share",
                       where);
}

void group_notice(void)
{
    if (whole->size > 1) /* a process that works alone agrees with itself */
        interrupt_agree(group_largest(interrupt_received()));
}

double group_seconds(void)
{
    return group_watch_seconds();
}

bool group_alone(bool alone)
{
    const bool before = is_alone;
    is_alone = alone;
    return before;
}
