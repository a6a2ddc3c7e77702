/* Private to lib/exchange: our names taken apart at the dots, and the styles that put them together
 * again. */
#pragma once

#include "config/config.h"

#include <stddef.h>

typedef enum PlaceKind {
    PLACE_WHOLE,
    PLACE_BLOCK,
    PLACE_ATTENTION,
    /* Between two levels. */
    PLACE_SAMPLE
} PlaceKind;

/* Where a tensor belongs. */
typedef struct NamePlace {
    PlaceKind kind;
    /* On the way down, or up. */
    bool down;
    /* 0 has the full resolution; -1: the middle. */
    int level;
    /* Of the block within the level. */
    int index;
    /* The name within that part: "norm1.weight"; the whole name for PLACE_WHOLE. */
    const char *rest;
} NamePlace;

NamePlace names_place(const char *ours);

typedef struct NamePair {
    const char *ours, *theirs;
} NamePair;

/* "q.weight" becomes "to_q.weight": `theirs` of the pair whose `ours` the text begins with, up to a
 * dot. *rest := the text from that dot on. Without a pair the result is NULL, and *rest the text. */
const char *names_replaced(const NamePair *pairs, size_t count, const char *text,
                           const char **rest);

/* "BEFORE.PART", with the name of the part replaced. The caller frees. */
char *names_join(const char *before, const NamePair *pairs, size_t count, const char *part);

/* Our name in the style of a program; `old`: of diffusers before 0.18. The caller frees. */
char *names_diffusers(const Config *config, const char *ours, bool old);
char *names_adm(const Config *config, const char *ours);

/* The name of a tensor of a variance head on such a network. `complex`: the head has a residual
 * block. The caller frees. */
char *names_adm_head(bool complex, const char *ours);
