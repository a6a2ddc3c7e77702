/* Text with commas between, "npr,sn", item by item. */
#pragma once

/* The next item of `*list`, which moves on; NULL at its end, and of NULL. Caller frees. */
char *list_next(const char **list);
