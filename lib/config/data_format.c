/* The list of data formats as an array: the preprocessor writes an entry for each line of
 * DATA_FORMATS. */
#include "config/data_format.h"

#define FACTS(constant, name, help, has_files, channels)                                           \
    [constant] = {#name, help, has_files, channels},

const DataFormatFacts data_formats[DATA_FORMAT_COUNT + 1] = {
    DATA_FORMATS(FACTS)[DATA_AUTO] = {"auto", "by content", true, 0}};
