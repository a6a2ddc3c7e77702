/* Takes the value of data.train or data.test apart at its newlines. */
#include "config/config_paths.h"

#include "base/memory.h"

#include <string.h>

bool config_paths_are_several(const char *paths)
{
    return strchr(paths, CONFIG_PATHS_SEPARATOR) != NULL;
}

bool config_paths_next(const char **rest, char path[CONFIG_TEXT_SIZE])
{
    if ((*rest)[0] == '\0')
        return false;
    const size_t length = strcspn(*rest, "\n");
    memcpy(path, *rest, length);
    path[length] = '\0';
    *rest += length + ((*rest)[length] != '\0');
    return true;
}

char *config_paths_text(const char *paths)
{
    char *text = memory_string("");
    char path[CONFIG_TEXT_SIZE];
    while (config_paths_next(&paths, path)) {
        char *longer = memory_format("%s%s%s", text, text[0] ? ", " : "", path);
        memory_free(text);
        text = longer;
    }
    return text;
}
