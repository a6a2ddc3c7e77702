/* Lists in text, with commas between the items: "npr,sn". */
#pragma once

/* The next item of *list, which moves on to the rest; NULL at the end, or if *list is NULL. Caller
 * frees. */
char *list_next(const char **list);
