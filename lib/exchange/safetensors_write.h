/* Writes weights as safetensors. */
#pragma once

#include "base/error.h"
#include "engine/params.h"
#include "exchange/names.h"

/* Writes weights [set->size], the tensors of `set` under our names, to a new file `path`, under the
 * names and with the shapes of `style`. `config` describes the network. `recipe`: a text for the metadata, from which an import
 * takes the configuration; NULL for none. Input error if there is a file of that name. */
bool safetensors_write(const char *path, const ParamSet *set, NameStyle style, const Config *config,
                       const float *weights, const char *recipe, Error *error);

/* Writes a text to a new file. */
bool new_file_write(const char *path, const char *text, Error *error);
