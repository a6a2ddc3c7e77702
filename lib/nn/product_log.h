/* What this process has found out about its products: which implementation each took, and which
 * were left out because they are wrong. Equal products are checked once.
 */
#pragma once

#include "base/error.h"

/* One way to compute a product. */
typedef struct Candidate {
    /* By code of our own; the rest does not count then. */
    bool own;
    /* Place in the library's order of preference, from 0. */
    int implementation;
    /* A tensor that is added is copied to dst first, where the kernel adds to it. */
    bool in_place;
} Candidate;

/* An entry lives as long as the process; its strings belong to it. */
typedef struct ProductLog {
    /* product_text, and the number of threads that share the work. */
    char *product;
    int threads;
    /* A right candidate was found: this one. */
    bool is_checked;
    Candidate chosen;
    /* Its name, "brgconv:avx512_core"; NULL before. */
    char *implementation;
    /* Its largest error as a share of what rounding may do. */
    double off;
    /* The first candidate that was wrong, and how; NULL: none was. */
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
void product_log_right(ProductLog *log, const Candidate *candidate, const char *implementation,
                       double off);
void product_log_wrong(ProductLog *log, const char *implementation, const Error *difference);

/* Has `note` called, with one line, when an implementation is left out for the first time; NULL: with
 * nothing, as at the start. The library prints nothing itself. */
void product_log_notify(void (*note)(const char *line));
