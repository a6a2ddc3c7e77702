/* A line of pieces, in the order in which they were begun. Each is first dealt out, then added up, then
 * spread. There are as many places as pieces can be on their way; a piece more waits for the first.
 *
 * The numbers on the wire are those of the piece itself; or as bfloat16 those of a copy, which lies in
 * the second half of the room, behind the terms.
 *
 * Pieces are added up and spread in the order of the line, whatever came first: so all processes begin
 * the same movements in the same order.
 */
#include "base/group_flow.h"

#include "base/bf16.h"
#include "base/dispatch.h"
#include "base/group.h"
#include "base/group_watch.h"
#include "base/group_way.h"
#include "base/memory.h"

#include <stdint.h>

enum { PLACES = 8 };

typedef struct Piece {
    /* [count] */
    float *values;
    size_t count;
    FlowNumbers numbers;
    /* [count]: what is dealt and spread. */
    void *wire;
    /* [size + 1]: the bytes of the wire at which the parts of the processes begin. */
    size_t *starts;
    /* [size, part]: from every process its numbers of this one's part. */
    void *room;
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

static size_t bytes_of(FlowNumbers numbers)
{
    return numbers == FLOW_F32 ? sizeof(float) : sizeof(uint16_t);
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

VECTORISED static void round_floats(const float *restrict values, size_t count,
                                    uint16_t *restrict rounded)
{
    for (size_t i = 0; i < count; i++)
        rounded[i] = bf16_from_float(values[i]);
}

VECTORISED static void widen(const uint16_t *restrict rounded, size_t count, float *restrict values)
{
    for (size_t i = 0; i < count; i++)
        values[i] = bf16_to_float(rounded[i]);
}

/* As add_floats. */
VECTORISED static void add_rounded(const uint16_t *restrict terms, size_t count, int size,
                                   float *restrict sum)
{
    for (size_t i = 0; i < count; i++)
        sum[i] = bf16_to_float(terms[i]);
    for (int q = 1; q < size; q++)
        for (size_t i = 0; i < count; i++)
            sum[i] += bf16_to_float(terms[(size_t)q * count + i]);
}

/* This process's part of a piece := the sums, as they go out. */
static void add_up(const Piece *p)
{
    const size_t bytes = bytes_of(p->numbers), first = p->starts[way->rank] / bytes;
    const size_t count = p->starts[way->rank + 1] / bytes - first;
    float *sum = p->values + first;
    if (p->numbers == FLOW_F32) {
        add_floats(p->room, count, way->size, sum);
        return;
    }
    add_rounded(p->room, count, way->size, sum);
    round_floats(sum, count, (uint16_t *)p->wire + first);
}

/* -- The line ---------------------------------------------------------------------------------- */

/* The next piece that is not yet added up: whether it is now. */
static bool add_next(bool wait)
{
    Piece *p = &line[added % PLACES];
    if (!way->over(p->moving, wait))
        return false;
    add_up(p);
    p->moving = way->spread(p->wire, p->starts);
    added++;
    return true;
}

/* The next piece that is added up and has not ended: whether it has now. */
static bool end_next(bool wait)
{
    const Piece *p = &line[ended % PLACES];
    if (!way->over(p->moving, wait))
        return false;
    if (p->numbers == FLOW_BF16)
        widen(p->wire, p->count, p->values);
    ended++;
    return true;
}

static void advance(void)
{
    while (added < begun && add_next(false))
        ;
    while (ended < added && end_next(false))
        ;
}

void group_flow_advance(void)
{
    if (ended == begun)
        return;
    group_watch_enter();
    advance();
    group_watch_leave();
}

/* Waits until at most `most` pieces are on their way. */
static void wait_for(uint64_t most)
{
    if (begun - ended <= most)
        return;
    group_watch_enter();
    while (begun - ended > most) {
        advance();
        if (ended == added && added < begun)
            (void)add_next(true);
        if (ended < added)
            (void)end_next(true);
    }
    group_watch_leave();
}

void group_flow_begin(float *values, size_t count, FlowNumbers numbers)
{
    if (group_size() == 1)
        return;
    wait_for(PLACES - 1);
    Piece *p = &line[begun % PLACES];
    p->values = p->wire = values;
    p->count = count;
    p->numbers = numbers;
    for (int r = 0; r <= way->size; r++)
        p->starts[r] = (size_t)group_start((int64_t)count, r) * bytes_of(numbers);
    if (numbers == FLOW_BF16) {
        p->wire = (uint16_t *)p->room + reserved + (size_t)way->size;
        round_floats(values, count, p->wire);
    }
    p->moving = way->deal(p->wire, p->starts, p->room);
    begun++;
    group_flow_advance();
}

void group_flow_end(void)
{
    wait_for(0);
}
