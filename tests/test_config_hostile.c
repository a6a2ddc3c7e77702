/* Tests of malformed and hostile configurations, and of mutations of good ones: nothing crashes,
 * and every failure is one line that says where the error is. */
#include "tests/suite.h"

#include "config/config_keys.h"
#include "tests/config_text.h"

typedef struct Malformed {
    const char *text;
    const char *fragments[3];
} Malformed;

/* clang-format off: one text to a line */
static const Malformed malformed[] = {
    {"stage1: {steps: 1.5}", {"x.yaml:1: ", "stage1.steps", "\"1.5\""}},
    {"stage1: {steps: 1e5}", {"stage1.steps", "an integer", "\"1e5\""}},
    {"stage1: {steps: 20_000}", {"stage1.steps", "an integer", "\"20_000\""}},
    {"stage1: {steps: 0x10}", {"stage1.steps", "an integer", "\"0x10\""}},
    {"stage1: {steps: 010}", {"stage1.steps", "an integer", "\"010\""}},
    {"stage1: {steps: -5}", {"stage1.steps", "from 1", "\"-5\""}},
    {"stage1: {steps: 1000000001}", {"stage1.steps", "to 1000000000", "\"1000000001\""}},
    {"stage1: {steps: 99999999999999999999}", {"stage1.steps", "\"99999999999999999999\""}},
    {"stage1: {steps: -99999999999999999999}", {"stage1.steps", "an integer"}},
    {"stage1: {batch: 4294967297}", {"stage1.batch", "an integer", "\"4294967297\""}},
    {"stage1: {batch: 1 2}", {"stage1.batch", "\"1 2\""}},
    {"stage1: {batch: +}", {"stage1.batch", "\"+\""}},
    {"stage1: {batch: true}", {"stage1.batch", "\"true\""}},
    {"seed: 18446744073709551616", {"seed", "\"18446744073709551616\""}},
    {"seed: 1.0", {"seed", "\"1.0\""}},
    {"stage1: {lr: .inf}", {"stage1.lr", "a number", "\".inf\""}},
    {"stage1: {lr: inf}", {"stage1.lr", "a number", "\"inf\""}},
    {"stage1: {lr: nan}", {"stage1.lr", "a number", "\"nan\""}},
    {"stage1: {lr: 0x1p-3}", {"stage1.lr", "a number", "\"0x1p-3\""}},
    {"stage1: {lr: 1e999}", {"stage1.lr", "a number", "\"1e999\""}},
    {"stage1: {lr: 1e-999}", {"stage1.lr", "above 0", "\"1e-999\""}},
    {"stage1: {lr: 1e}", {"stage1.lr", "\"1e\""}},
    {"stage1: {lr: .}", {"stage1.lr", "\".\""}},
    {"stage1: {lr: 1.0001}", {"stage1.lr", "up to 1"}},
    {"stage1: {lr: 1,5}", {"unknown key \"stage1.5\"", "stage1.lr"}},
    {"stage1: {ema: -1e-9}", {"stage1.ema", "from 0"}},
    {"model: {dropout: 1}", {"model.dropout", "below 1"}},
    {"model: {channels: 2}", {"model.channels", "from 4"}},
    {"model: {res_blocks: 17}", {"model.res_blocks", "to 16"}},
    {"model: {channel_mult: [1, 0]}", {"model.channel_mult", "\"0\" as number 2"}},
    {"model: {channel_mult: [1, 65]}", {"model.channel_mult", "\"65\" as number 2"}},
    {"model: {channel_mult: [1, [2]]}", {"model.channel_mult", "a list as number 2"}},
    {"model: {channel_mult: [1, {a: 2}]}", {"model.channel_mult", "a mapping as number 2"}},
    {"model: {channel_mult: [1, '2']}", {"model.channel_mult", "the text \"2\" as number 2"}},
    {"model: {channel_mult: [1, ~]}", {"model.channel_mult", "\"~\" as number 2"}},
    {"model: {channel_mult: [1,1,1,1,1,1,1,1,1]}", {"model.channel_mult", "got 9 of them"}},
    {"model: {channel_mult: {a: 1}}", {"model.channel_mult", "a list", "got a mapping"}},
    {"model: {channel_mult: &a [1, *a]}", {"model.channel_mult", "a list as number 2"}},
    {"model: &a {channels: *a}", {"model.channels", "got a mapping"}},
    {"model: [channels, 3]", {"model", "a mapping of keys", "got a list"}},
    {"model: {<<: {channels: 8}}", {"unknown key \"model.<<\""}},
    {"model: {channels: 64, channels: 64}", {"model.channels", "expected once"}},
    {"model: {channels: 64}\nmodel.channels: 64", {"x.yaml:2", "model.channels", "expected once"}},
    {"model: {\"chan\\0nels\": 64}", {"expected a key", "NUL byte"}},
    {"name: \"a\\0b\"", {"name", "NUL byte"}},
    {"name: ''", {"name", "got the text \"\""}},
    {"name:", {"name", "got nothing"}},
    {"name: .hidden", {"name", "not '.'"}},
    {"name: ..", {"name", "not '.'"}},
    {"name: a b", {"name", "\"a b\""}},
    {"name: ümlaut", {"name", "\"ümlaut\""}},
    {"name: [a]", {"name", "got a list"}},
    {"name: \"a\\nb\"", {"name", "\"a?b\""}},
    {"data: {train: \"\\x7f\", test: ''}", {"data.train", "control characters"}},
    {"data: {train: \"\\u2028\", test: ''}", {"data.train", "control characters"}},
    {"data: {train: \"\\ufeff\", test: ''}", {"data.train", "control characters"}},
    {"data: {train: \"\\ud800\", test: ''}", {"x.yaml:1", "expected YAML"}},
    {"data: {resolution: 2048}", {"data.resolution", "to 1024"}},
    {"diffusion: {timesteps: 1}", {"diffusion.timesteps", "from 2"}},
    {"diffusion: {timesteps: 100001}", {"diffusion.timesteps", "to 100000"}},
    {"head: {type: Simple}", {"head.type", "simple or complex"}},
    {"seed: 1\nseed", {"x.yaml:2", "expected YAML"}},
    {"seed: 1\n  name: x", {"x.yaml:2", "expected YAML"}},
    {"seed: \"1", {"expected YAML", "end of stream"}},
    {"a: b: c", {"x.yaml:1", "expected YAML"}},
    {"{", {"x.yaml:", "expected YAML"}},
    {"]", {"x.yaml:1", "expected YAML"}},
    {"*a", {"x.yaml:1", "undefined alias"}},
    {"&a &b c: 1", {"x.yaml:1", "expected YAML"}},
    {"%YAML 3.0\n---\nseed: 1", {"x.yaml:1", "expected YAML"}},
    {"!!", {"expected YAML"}},
    {"model: !x", {"model", "without a tag"}},
    {"!x {seed: 1}", {"without a tag", "\"!x\""}},
    {"seed: !<tag:yaml.org,2002:int> 1", {"seed", "without a tag"}},
    {"stage1: !x {batch: 1}", {"stage1", "without a tag"}},
    {"---\n---\nseed: 1", {"x.yaml:2", "a second one"}},
    {"seed: 1\n...\n]", {"x.yaml:3", "expected YAML"}},
    {"\xfe\xff\0s", {"x.yaml:1", "expected YAML"}},
    {"seed: \xc3", {"x.yaml:1", "expected YAML"}},
    {"seed: \xed\xa0\x80", {"x.yaml:1", "expected YAML"}},
    {"seed: \xc2\x80", {"x.yaml:1", "expected YAML"}},
    {"stage1.batch.more: 1", {"unknown key \"stage1.batch.more\""}},
    {".: 1", {"unknown key \".\""}},
    {"stage1.: 1", {"unknown key \"stage1.\""}},
    {"\"\": 1", {"unknown key \"\""}},
};
/* clang-format on */

START_TEST(malformed_texts)
{
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        Error error;
        check_failure(malformed[i].text, NULL, &error);
        for (int k = 0; k < 3 && malformed[i].fragments[k]; k++)
            ck_assert_msg(strstr(error.message, malformed[i].fragments[k]) != NULL,
                          "no <%s> in <%s> for <%s>", malformed[i].fragments[k], error.message,
                          malformed[i].text);
    }
}
END_TEST

START_TEST(deep_and_wide_texts)
{
    static const char *const units[] = {"[",    "{",    "[{a: ", "- ",      "? ", "a: [",
                                        "&a [", "!a ",  "'",     "{a: b, ", "#",  "\n-",
                                        "%",    "\"\\", "| ",    "a",       "é",  "*"};
    char *text = memory_small(16384, 1);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t length = strlen(units[i]), size = 0;
        while (size + length < 16384) {
            memcpy(text + size, units[i], length);
            size += length;
        }
        text[size] = '\0';
        Config config;
        Error error = {0};
        bool ok = config_parse(&config, text, "x.yaml", NULL, 0, &error);
        ck_assert_msg(ok == (*units[i] == '#'), "%s", units[i]);
        ck_assert(ok || error.kind == ERROR_INPUT);
    }
    memory_free(text);
}
END_TEST

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Some bytes changed, a stretch removed or doubled, pieces of YAML put in. */
static void mutate(char *text, size_t capacity, uint32_t *state)
{
    static const char *const pieces[] = {
        "[",        "]",         "{",  "}",           ":",  ": ",   "\n",          "- ",
        "#",        "&a",        "*a", "!!",          "'",  "\"",   "|",           ">",
        "---\n",    "...",       "?",  "%",           "\t", "\\0",  "\xff",        "\xc3",
        "é",        "1e999",     "-",  "99999999999", "~",  "<<: ", "stage1",      "model:\n",
        "channels", "\"\\x00\"", "  ", ",",           "@",  "`",    "\xef\xbb\xbf"};
    enum { PIECES = sizeof pieces / sizeof pieces[0] };
    for (uint32_t edits = 1 + next_random(state) % 2; edits > 0; edits--) {
        size_t size = strlen(text);
        size_t at = next_random(state) % (size + 1);
        size_t length = next_random(state) % 40;
        length = at + length > size ? size - at : length;
        const char *piece = pieces[next_random(state) % PIECES];
        switch (next_random(state) % 4) {
        case 0: /* a byte */
            text[at] = at < size ? (char)(1 + next_random(state) % 255) : '\0';
            break;
        case 1: /* a stretch removed */
            memmove(text + at, text + at + length, size - at - length + 1);
            break;
        case 2: /* a stretch doubled */
            if (size + length < capacity)
                memmove(text + at + length, text + at, size - at + 1);
            break;
        default: /* a piece put in */
            if (size + strlen(piece) < capacity) {
                memmove(text + at + strlen(piece), text + at, size - at + 1);
                memcpy(text + at, piece, strlen(piece));
            }
        }
    }
}

START_TEST(mutations_never_crash)
{
    Config config;
    config_defaults(&config);
    char *resolved = config_to_yaml(&config);
    const char *const seeds[] = {golden_a, golden_b, resolved};
    uint32_t state = 20240607;
    int accepted = 0, refused = 0;
    for (int i = 0; i < 9000; i++) {
        char text[4096];
        Error error = {0};
        snprintf(text, sizeof text, "%s", seeds[i % 3]);
        mutate(text, sizeof text, &state);
        const char *override = i % 7 == 0 ? text : NULL;
        if (config_parse(&config, override ? seeds[0] : text, "x.yaml", &override, override ? 1 : 0,
                         &error)) {
            accepted++;
            check_round_trip(&config);
        } else {
            refused++;
            ck_assert_int_eq(error.kind, ERROR_INPUT);
            ck_assert(error.message[0] != '\0' && strchr(error.message, '\n') == NULL);
        }
    }
    ck_assert_int_gt(accepted, 150);
    ck_assert_int_gt(refused, 1000);
    memory_free(resolved);
}
END_TEST

/* A value of every key is mutated in an override: these reach the values' own readers. */
START_TEST(mutated_overrides_never_crash)
{
    uint32_t state = 7;
    int accepted = 0;
    for (int i = 0; i < 9000; i++) {
        const ConfigKey *key = &config_keys[i % config_key_count];
        char value[256], override[400];
        Config config;
        Error error = {0};
        snprintf(value, sizeof value, "%s", key->fallback);
        mutate(value, sizeof value, &state);
        snprintf(override, sizeof override, "%s=%s", key->path, value);
        const char *overrides[] = {override};
        if (config_parse(&config, NULL, "x.yaml", overrides, 1, &error)) {
            accepted++;
            check_round_trip(&config);
        } else {
            ck_assert_int_eq(strncmp(error.message, "--set ", 6), 0);
        }
    }
    ck_assert_int_gt(accepted, 150);
}
END_TEST

SUITE_MAIN("config_hostile", malformed_texts, deep_and_wide_texts, mutations_never_crash,
           mutated_overrides_never_crash)
