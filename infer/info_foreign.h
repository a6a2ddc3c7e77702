/* infer info on files of other programs. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* Whether `path` is a file of weights of another program, or a folder of diffusers. */
bool info_is_foreign(const char *path);

/* Prints the content, and what `infer import` would make of it, by the description `config` (NULL: the
 * one beside the weights). With `quiet` nothing is printed. An input error if the file can't be read;
 * a network that can't be imported is none. */
bool info_print_foreign(const char *path, const char *config, bool quiet, Error *error);
