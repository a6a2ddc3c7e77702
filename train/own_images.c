/* A new run with other training images holds some of them out: data.test becomes auto. A run that goes
 * on has its test images in its checkpoint, and its training images may only have been moved. The first
 * image says how many channels there are.
 */
#include "train/own_images.h"

#include "base/memory.h"
#include "base/note.h"
#include "config/config_paths.h"
#include "data/dataset.h"
#include "io/checkpoint.h"

#include <string.h>
#include <unistd.h>

static bool is_overridden(const StringList *overrides, const char *key)
{
    const size_t length = strlen(key);
    for (int i = 0; i < overrides->count; i++)
        if (strncmp(overrides->items[i], key, length) == 0 && overrides->items[i][length] == '=')
            return true;
    return false;
}

/* "data.test='it''s.h5'", in YAML's quotes. */
static char *quoted(const char *path)
{
    char *text = memory_string("data.test='");
    for (const char *c = path; *c; c++) {
        char *longer = memory_format("%s%s%c", text, *c == '\'' ? "'" : "", *c);
        memory_free(text);
        text = longer;
    }
    char *whole = memory_format("%s'", text);
    memory_free(text);
    return whole;
}

/* The data.test of a run that goes on; NULL if there is none, or it is a list. */
static char *earlier_test(const char *earlier)
{
    Checkpoint *checkpoint = NULL;
    Error unused;
    char *text = NULL;
    if (!earlier || access(earlier, F_OK) != 0 || !checkpoint_open(&checkpoint, earlier, &unused))
        return NULL;
    const char *test = checkpoint_config(checkpoint)->data.test;
    if (!config_paths_are_several(test))
        text = quoted(test);
    checkpoint_close(checkpoint);
    return text;
}

/* `nameless`: the recipe has no files of images. */
static char *choose_test(const Config *config, const char *earlier, bool nameless)
{
    const char *test = config->data.test;
    if (nameless && test[0] == '\0') {
        note("data.test is %s, since the recipe names no images", CONFIG_TEST_AUTO);
        return memory_format("data.test=%s", CONFIG_TEST_AUTO);
    }
    if (test[0] == '\0' || strcmp(test, CONFIG_TEST_AUTO) == 0)
        return NULL;
    if (earlier && access(earlier, F_OK) == 0)
        return earlier_test(earlier);
    char *name = config_paths_text(test);
    note(
        "data.test is %s, since data.train is not that of the recipe; --set data.test=%s takes the "
        "recipe's",
        CONFIG_TEST_AUTO, name);
    memory_free(name);
    return memory_format("data.test=%s", CONFIG_TEST_AUTO);
}

/* A recipe may say the format of its own images. */
static char *choose_format(const Config *config)
{
    char path[CONFIG_TEXT_SIZE];
    const char *rest = config->data.train;
    if (config->data.format == DATA_AUTO || !config_paths_next(&rest, path) ||
        dataset_format_of_file(path) == config->data.format)
        return NULL;
    note("data.format is auto, since %s is of another format than %s", path,
         data_formats[config->data.format].name);
    return memory_string("data.format=auto");
}

static char *choose_channels(const Config *config)
{
    char path[CONFIG_TEXT_SIZE];
    const char *rest = config->data.train;
    int resolution = 0, channels = 0;
    Error unused;
    if (!config_paths_next(&rest, path) || !dataset_shape(path, &resolution, &channels, &unused) ||
        channels == config->data.channels)
        return NULL; /* what is wrong with a file is said when it is opened */
    if (channels < config->data.channels && dataset_format_of_file(path) == DATA_PICTURES)
        return NULL; /* grey pictures become colours, and only the first one has been looked at */
    note("data.channels is %d, as in %s", channels, path);
    return memory_format("data.channels=%d", channels);
}

/* Whether the first file of training images is there. If not, opening it says so in one line, and
 * notes would only stand before it. */
static bool are_there(const Config *config)
{
    char path[CONFIG_TEXT_SIZE];
    const char *rest = config->data.train;
    return config_paths_next(&rest, path) && access(path, F_OK) == 0;
}

OwnImages own_images(const Config *config, const StringList *overrides, const char *earlier,
                     bool imported)
{
    OwnImages own = {0};
    const bool has_files = data_formats[config->data.format].has_files;
    if (!is_overridden(overrides, "data.train") || !are_there(config))
        return own;
    if (!is_overridden(overrides, "data.format"))
        own.format = choose_format(config);
    if (!has_files && !own.format)
        return own;
    if (!is_overridden(overrides, "data.test"))
        own.test = choose_test(config, earlier, imported || !has_files);
    if (!is_overridden(overrides, "data.channels"))
        own.channels = choose_channels(config);
    return own;
}

void own_images_free(OwnImages *own)
{
    memory_free(own->format);
    memory_free(own->test);
    memory_free(own->channels);
    *own = (OwnImages){0};
}
