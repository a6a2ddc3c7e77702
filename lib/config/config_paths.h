/* Values of data.train and data.test: one path, or several with newlines between them. A path in a
 * configuration has no newline.
 */
#pragma once

#include "config/config.h"

/* The separator in the field. */
#define CONFIG_PATHS_SEPARATOR '\n'

/* Whether the value has several paths. */
bool config_paths_are_several(const char *paths);

/* path := the first of *rest, which moves on to the others. False if none is left. The value "" has no
 * path. */
bool config_paths_next(const char **rest, char path[CONFIG_TEXT_SIZE]);

/* "a, b", for messages; the caller frees it with memory_free. */
char *config_paths_text(const char *paths);
