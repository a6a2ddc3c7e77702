/* The products that code of our own computes better than oneDNN. */
#pragma once

#include "engine/product.h"
#include "engine/product_log.h"

#include <stddef.h>

typedef struct OwnWay {
    /* As in a ProductLog: "varhead:amx_bf16". */
    const char *(*name)(void);
    /* Whether it is the better way for a product. A rule and not a measurement at run time, so that
     * a run that is continued computes the same bits. */
    bool (*takes)(const Product *product);
    size_t (*scratch_bytes)(const Product *product, int threads);
    /* As primitive_rows_bytes; NULL: it takes no rows. */
    size_t (*rows_bytes)(const Product *product, int threads);
    /* Elements are computed a tile at a time, and share rounding errors (product_reference.h). */
    bool is_by_tiles;
    /* `operands` [OPERAND_COUNT], with the plain weights or their plain gradient. */
    void (*run)(const Product *product, int threads, void *const *operands, void *scratch);
} OwnWay;

/* The first way that takes the product and that its log accepts; NULL: there is none. */
const OwnWay *own_way(const Product *product, const ProductLog *log);
