/* Lists of objectives, by insertion sort: each name is looked up in the table, and its objective is
 * inserted between those before it, in the order of names. */
#include "variance/objective_list.h"

#include "base/list.h"
#include "base/memory.h"

#include <string.h>

/* The objective with this name that trains a head; NULL: the table has none. */
static const Objective *find(const Objective *const *table, int size, const char *name)
{
    for (int i = 0; i < size; i++)
        if (objective_trains_head(table[i]) && strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}

/* Fails, and lists the names in the table. */
static bool unknown(const Objective *const *table, int size, const char *name, Error *error)
{
    char *choices = objective_list_choices(table, size);
    error_input(error, "--loss: expected %s, or several with commas between, got \"%s\"", choices,
                name);
    memory_free(choices);
    return false;
}

/* chosen [*count] := with one objective more, sorted by name. */
static bool insert(const Objective *objective, const Objective **chosen, int max, int *count,
                   Error *error)
{
    int at = *count;
    while (at > 0 && strcmp(chosen[at - 1]->name, objective->name) > 0)
        at--;
    if (at > 0 && chosen[at - 1] == objective)
        return error_input(error, "--loss: %s is given twice", objective->name);
    if (*count == max)
        return error_input(error, "--loss: expected at most %d losses", max);
    memmove(chosen + at + 1, chosen + at, (size_t)(*count - at) * sizeof(const Objective *));
    chosen[at] = objective;
    ++*count;
    return true;
}

bool objective_list_read(const Objective *const *table, int size, const char *text,
                         const Objective **chosen, int max, int *count, Error *error)
{
    bool ok = true;
    *count = 0;
    for (char *name; ok && (name = list_next(&text)) != NULL; memory_free(name)) {
        const Objective *objective = find(table, size, name);
        ok = objective ? insert(objective, chosen, max, count, error)
                       : unknown(table, size, name, error);
    }
    return ok;
}

char *objective_list_join(const Objective *const *objectives, int count, const char *separator)
{
    char *joined = memory_string("");
    for (int i = 0; i < count; i++) {
        char *longer = memory_format("%s%s%s", joined, i > 0 ? separator : "", objectives[i]->name);
        memory_free(joined);
        joined = longer;
    }
    return joined;
}

char *objective_list_choices(const Objective *const *table, int size)
{
    char *choices = memory_string("");
    const char *before = "";
    for (int i = size - 1; i >= 0; i--) { /* backwards: "or" stands before the last name */
        if (!objective_trains_head(table[i]))
            continue;
        const char *after = choices[0] == '\0' ? "" : before[0] == '\0' ? " or " : ", ";
        char *longer = memory_format("%s%s%s", table[i]->name, after, choices);
        memory_free(choices);
        choices = longer;
        before = after;
    }
    return choices;
}
