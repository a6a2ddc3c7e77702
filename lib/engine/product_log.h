/* What this process has found out about its products: which implementation each took, and which
 * were left out because they are wrong. Equal products are checked once.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* One way to compute a product: by the library's implementation of this name, or by code of our
 * own. */
typedef struct Way {
    char *implementation;
    /* A tensor that is added is copied to dst first, where the kernel adds to it. */
    bool in_place;
} Way;

/* An entry lives as long as the process; its strings belong to it. */
typedef struct ProductLog {
    /* product_text, and the number of threads that share the work. */
    char *product;
    int threads;
    /* A right way was found: this one. */
    bool is_checked;
    Way chosen;
    /* Its largest error as a share of what rounding may do. */
    double off;
    /* The ways that were wrong; and the first of them in words, NULL where there is none. */
    Way *wrong;
    int wrong_count;
    char *left_out;
    /* Primitives that were asked for. */
    int uses;
    struct ProductLog *next;
} ProductLog;

/* The entry of a product, made where there is none; counts as a use. */
ProductLog *product_log_find(const char *product, int threads);

/* All entries, the oldest first; NULL: there are none. */
const ProductLog *product_log_first(void);

/* Records the result of a check. `difference` says what was wrong. */
void product_log_right(ProductLog *log, const char *implementation, bool in_place, double off);
void product_log_wrong(ProductLog *log, const char *implementation, bool in_place,
                       const Error *difference);

/* Whether this way is to be taken: it was chosen, or nothing was and it has not been wrong. */
bool product_log_accepts(const ProductLog *log, const char *implementation, bool in_place);
