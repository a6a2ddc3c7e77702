/* A list in the order of asking: some tens of entries for a network. */
#include "engine/product_log.h"

#include "base/memory.h"
#include "base/note.h"
#include "engine/onednn.h"

#include <string.h>

static ProductLog *first;

ProductLog *product_log_find(const char *product, int threads)
{
    ProductLog **at = &first;
    while (*at && ((*at)->threads != threads || strcmp((*at)->product, product) != 0))
        at = &(*at)->next;
    if (!*at) {
        *at = memory_small(1, sizeof **at);
        (*at)->product = memory_string(product);
        (*at)->threads = threads;
    }
    (*at)->uses++;
    return *at;
}

const ProductLog *product_log_first(void)
{
    return first;
}

void product_log_right(ProductLog *log, const char *implementation, bool in_place, double off)
{
    log->is_checked = true;
    log->chosen = (Way){memory_string(implementation), in_place};
    log->off = off;
}

static bool is_way(const Way *way, const char *implementation, bool in_place)
{
    return way->in_place == in_place && strcmp(way->implementation, implementation) == 0;
}

bool product_log_accepts(const ProductLog *log, const char *implementation, bool in_place)
{
    if (log->is_checked)
        return is_way(&log->chosen, implementation, in_place);
    for (int i = 0; i < log->wrong_count; i++)
        if (is_way(&log->wrong[i], implementation, in_place))
            return false;
    return true;
}

/* An implementation that is wrong for many shapes is one piece of news. */
static bool was_told(const char *implementation)
{
    static char **told;
    static size_t count;
    for (size_t i = 0; i < count; i++)
        if (strcmp(told[i], implementation) == 0)
            return true;
    told = memory_grow(told, count + 1, sizeof *told);
    told[count++] = memory_string(implementation);
    return false;
}

void product_log_wrong(ProductLog *log, const char *implementation, bool in_place,
                       const Error *difference)
{
    log->wrong = memory_grow(log->wrong, (size_t)log->wrong_count + 1, sizeof *log->wrong);
    log->wrong[log->wrong_count++] = (Way){memory_string(implementation), in_place};
    if (!log->left_out)
        log->left_out =
            memory_format("%s: %s: %s", implementation, log->product, difference->message);
    if (!was_told(implementation))
        note("%s computes wrong numbers, and is not used for them: %s", onednn_name(),
             log->left_out);
}
