/* A list in the order of asking: some tens of entries for a network. */
#include "nn/product_log.h"

#include "base/memory.h"
#include "nn/primitive.h"

#include <string.h>

static ProductLog *first;
static void (*notify)(const char *line);

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

void product_log_right(ProductLog *log, const Candidate *candidate, const char *implementation,
                       double off)
{
    log->is_checked = true;
    log->chosen = *candidate;
    log->implementation = memory_string(implementation);
    log->off = off;
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

void product_log_wrong(ProductLog *log, const char *implementation, const Error *difference)
{
    if (!log->left_out)
        log->left_out =
            memory_format("%s: %s: %s", implementation, log->product, difference->message);
    if (was_told(implementation) || !notify)
        return;
    char *line = memory_format("%s computes wrong numbers, and is not used for them: %s",
                               primitive_library(), log->left_out);
    notify(line);
    memory_free(line);
}

void product_log_notify(void (*note)(const char *line))
{
    notify = note;
}
