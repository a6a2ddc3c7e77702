/* Lists of the objectives that train heads, as in the option --loss and in the names of files. */
#pragma once

#include "variance/objective.h"

/* Reads a list like "sn,npr", in any order. chosen [max] := its objectives, sorted by name; *count
 * := their number. table [size] holds all objectives; it is objective_table outside of tests.
 * Input errors, which begin with "--loss":
 *   - a name that is not in the table, or whose objective trains no head
 *   - a name that is given twice
 *   - more than `max` names */
bool objective_list_read(const Objective *const *table, int size, const char *text,
                         const Objective **chosen, int max, int *count, Error *error);

/* The names with `separator` between them: "npr+sn". The caller frees the string. */
char *objective_list_join(const Objective *const *objectives, int count, const char *separator);

/* The names of the objectives in table [size] that train heads, as in a sentence: "npr or sn". The
 * caller frees the string. */
char *objective_list_choices(const Objective *const *table, int size);
