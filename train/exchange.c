/* Pieces of equal length, 32 or more of a large network. They are not so short that a message, the
 * part of a piece that one process has, costs more than its bytes.
 *
 * Pieces begin from the last to the first, even where a layer completes its gradients before a later
 * one: so a process whose backward pass has failed can begin the same pieces in the same order. */
#include "train/exchange.h"

#include "base/group.h"
#include "base/memory.h"

enum {
    PIECES = 32,
    SHORTEST = 1 << 12, /* numbers of a piece; a message has an eighth of it or more */
    LONGEST = 1 << 20,
};

struct Exchange {
    float *gradients;
    size_t size;
    FlowNumbers numbers;
    /* The length of a piece, and the number of pieces. */
    size_t length, count;
    /* [count]: the numbers of a piece that are not there yet. */
    size_t *missing;
    /* The pieces that have not begun: those below. */
    size_t left;
};

static size_t length_of(size_t size)
{
    const size_t least = (size_t)group_size() * SHORTEST / 8, part = size / PIECES;
    const size_t longest = part < LONGEST ? part : LONGEST;
    const size_t length = longest > least ? longest : least;
    return length > SHORTEST ? length : SHORTEST;
}

static size_t end_of(const Exchange *e, size_t piece)
{
    const size_t end = (piece + 1) * e->length;
    return end < e->size ? end : e->size;
}

static void expect_all(Exchange *e)
{
    for (size_t p = 0; p < e->count; p++)
        e->missing[p] = end_of(e, p) - p * e->length;
    e->left = e->count;
}

bool exchange_make(Exchange **exchange, float *gradients, size_t size, FlowNumbers numbers,
                   Error *error)
{
    *exchange = NULL;
    if (group_size() == 1)
        return true;
    Exchange *e = *exchange = memory_small(1, sizeof *e);
    *e = (Exchange){
        .gradients = gradients, .size = size, .numbers = numbers, .length = length_of(size)};
    e->count = (size + e->length - 1) / e->length;
    e->missing = memory_small(e->count, sizeof *e->missing);
    expect_all(e);
    return group_flow_reserve(e->length, error);
}

void exchange_free(Exchange *exchange)
{
    if (!exchange)
        return;
    memory_free(exchange->missing);
    memory_free(exchange);
}

static void begin(Exchange *e, size_t piece)
{
    const size_t first = piece * e->length;
    group_flow_begin(e->gradients + first, end_of(e, piece) - first, e->numbers);
}

/* A GraphReady. */
static void take(void *context, size_t first, size_t count)
{
    Exchange *e = context;
    const size_t last = first + count;
    for (size_t p = first / e->length; p < e->count && p * e->length < last; p++) {
        const size_t from = p * e->length > first ? p * e->length : first;
        const size_t to = end_of(e, p) < last ? end_of(e, p) : last;
        e->missing[p] -= to - from;
    }
    while (e->left > 0 && e->missing[e->left - 1] == 0)
        begin(e, --e->left);
    group_flow_advance();
}

void exchange_follow(Exchange *exchange, Graph *graph)
{
    if (exchange)
        graph_tell(graph, take, exchange);
}

void exchange_finish(Exchange *exchange)
{
    if (!exchange)
        return;
    while (exchange->left > 0)
        begin(exchange, --exchange->left);
    group_flow_end();
    expect_all(exchange);
}
