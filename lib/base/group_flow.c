/* A line of pieces, in the order in which they were begun. Each is first dealt out, then added up, then
 * spread. There are as many places as pieces can be on their way; a piece more waits for the first.
 *
 * Pieces are added up and spread in the order of the line, whatever came first: so all processes begin
 * the same movements in the same order.
 */
#include "base/group_flow.h"

#include "base/dispatch.h"
#include "base/group.h"
#include "base/group_watch.h"
#include "base/group_way.h"
#include "base/memory.h"

#include <stdint.h>

enum { PLACES = 8 };

typedef struct Piece {
    float *values;
    /* [size + 1]: the bytes at which the parts of the processes begin. */
    size_t *starts;
    /* [size, part]: from every process its numbers of this one's part. */
    float *room;
    void *moving;
} Piece;

static Piece line[PLACES];
/* How many pieces were ever begun, added up, and ended: ended <= added <= begun <= ended + PLACES. */
static uint64_t begun, added, ended;
/* The longest piece that there is room for. */
static size_t reserved;
static const GroupWay *way;

bool group_flow_reserve(size_t count, Error *error)
{
    way = group_way();
    if (way->size == 1 || count <= reserved)
        return true;
    const size_t size = (size_t)way->size, room = (count + size) * sizeof(float);
    group_flow_end();
    for (int i = 0; i < PLACES; i++) {
        memory_free(line[i].room);
        memory_free(line[i].starts);
        line[i].starts = memory_small(size + 1, sizeof *line[i].starts);
        if (!(line[i].room = memory_large(room, 1, "sums over processes", error)))
            return false;
    }
    reserved = count;
    return true;
}

/* -- Adding up --------------------------------------------------------------------------------- */

/* sum [count] := terms[0] + terms[1] + ..., from the left. */
VECTORISED static void add_floats(const float *restrict terms, size_t count, int size,
                                  float *restrict sum)
{
    for (size_t i = 0; i < count; i++)
        sum[i] = terms[i];
    for (int q = 1; q < size; q++)
        for (size_t i = 0; i < count; i++)
            sum[i] += terms[(size_t)q * count + i];
}

/* -- The line ---------------------------------------------------------------------------------- */

/* The next piece that is not yet added up: whether it is now. */
static bool add_next(bool wait)
{
    Piece *p = &line[added % PLACES];
    const size_t first = p->starts[way->rank] / sizeof(float);
    const size_t last = p->starts[way->rank + 1] / sizeof(float);
    if (!way->over(p->moving, wait))
        return false;
    add_floats(p->room, last - first, way->size, p->values + first);
    p->moving = way->spread(p->values, p->starts);
    added++;
    return true;
}

/* The next piece that is added up and has not ended: whether it has now. */
static bool end_next(bool wait)
{
    if (!way->over(line[ended % PLACES].moving, wait))
        return false;
    ended++;
    return true;
}

void group_flow_advance(void)
{
    while (added < begun && add_next(false))
        ;
    while (ended < added && end_next(false))
        ;
}

/* Waits until at most `most` pieces are on their way. */
static void wait_for(uint64_t most)
{
    if (begun - ended <= most)
        return;
    group_watch_enter();
    while (begun - ended > most) {
        group_flow_advance();
        if (ended == added && added < begun)
            (void)add_next(true);
        if (ended < added)
            (void)end_next(true);
    }
    group_watch_leave();
}

void group_flow_begin(float *values, size_t count)
{
    if (group_size() == 1)
        return;
    wait_for(PLACES - 1);
    Piece *p = &line[begun % PLACES];
    p->values = values;
    for (int r = 0; r <= way->size; r++)
        p->starts[r] = (size_t)group_start((int64_t)count, r) * sizeof(float);
    p->moving = way->deal(values, p->starts, p->room);
    begun++;
    group_flow_advance();
}

void group_flow_end(void)
{
    wait_for(0);
}
