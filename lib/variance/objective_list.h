/* Lists of objectives that train heads: as --loss takes them, and as names of files hold them. */
#pragma once

#include "variance/objective.h"

/* Reads "sn,npr", in any order, into chosen [max], sorted by name; *count := their number. `table`
 * [size] are the objectives that there are, objective_table outside of tests. A name that the
 * table does not have, or whose objective trains no head, one that comes twice, and more than `max` of them are input
 * errors that say "--loss". */
bool objective_list_read(const Objective *const *table, int size, const char *text,
                         const Objective **chosen, int max, int *count, Error *error);

/* The names, `separator` between them; "npr+sn". Caller frees. */
char *objective_list_join(const Objective *const *objectives, int count, const char *separator);

/* The names in `table` [size] that train heads, in a sentence: "npr or sn". Caller frees. */
char *objective_list_choices(const Objective *const *table, int size);
