/* A recipe. If it is accepted, it can be written as text with the same meaning. */
#include "base/memory.h"
#include "fuzz/target.h"

#include <string.h>

void fuzz_config(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    Config config, again;
    char *text = memory_small(size + 1, 1); /* a string ends at its first zero byte */
    memcpy(text, bytes, size);
    bool ok = config_parse(&config, text, "x.yaml", NULL, 0, &error);
    memory_free(text);
    if (!ok) {
        fuzz_check_error(&error);
        return;
    }
    char keys[256], *yaml = config_to_yaml(&config);
    if (!config_parse(&again, yaml, "again", NULL, 0, &error) ||
        config_differences(&config, &again, CONFIG_WHOLE, keys, sizeof keys) != 0)
        fuzz_broken("a configuration that was written reads as the same");
    memory_free(yaml);
    config_resolve(&config);

    /* The same bytes as a file, which may have zero bytes, and as the value of an override. */
    const char *path = fuzz_file("x.yaml", bytes, size);
    if (!config_load(&again, path, NULL, 0, &error))
        fuzz_check_error(&error);
}
