/* Makes configurations from text, for the suites of configurations. */
#pragma once

#include "base/memory.h"
#include "config/config.h"

#include <check.h>
#include <string.h>

/* The configurations of the golden checkpoints: the model's shape and nothing else. */
static const char golden_a[] =
    "name: golden-a\n"
    "data: {channels: 3, resolution: 16}\n"
    "diffusion: {schedule: linear, timesteps: 1000}\n"
    "model: {channels: 16, channel_mult: [1, 2], res_blocks: 1, attention: [8], dropout: 0.0, "
    "norm_groups: 8}\n"
    "head: {type: simple}\n";
static const char golden_b[] =
    "name: golden-b\n"
    "data: {channels: 1, resolution: 8}\n"
    "diffusion: {schedule: cosine, timesteps: 200}\n"
    "model: {channels: 32, channel_mult: [1, 1], res_blocks: 2, attention: [4, 8], dropout: 0.0, "
    "norm_groups: 16}\n"
    "head: {type: complex}\n";

static inline Config parse(const char *text)
{
    Config config;
    Error error = {0};
    bool ok = config_parse(&config, text, "x.yaml", NULL, 0, &error);
    ck_assert_msg(ok, "%s", error.message);
    return config;
}

static inline Config parse_with(const char *text, const char *override)
{
    Config config;
    Error error = {0};
    bool ok = config_parse(&config, text, "x.yaml", &override, 1, &error);
    ck_assert_msg(ok, "%s", error.message);
    return config;
}

/* Written out and read again, the configuration is the same to the last bit; so is its text. */
static inline void check_round_trip(const Config *config)
{
    char *yaml = config_to_yaml(config);
    Config again = parse(yaml);
    char *yaml_again = config_to_yaml(&again);
    ck_assert_str_eq(yaml, yaml_again);
    ck_assert_int_eq(memcmp(config, &again, sizeof again), 0);
    memory_free(yaml);
    memory_free(yaml_again);
}

/* A failure is an input error of one line and leaves the configuration alone. */
static inline void check_failure(const char *text, const char *override, Error *error)
{
    Config config, before;
    memset(&config, 0x5a, sizeof config);
    memcpy(&before, &config, sizeof config);
    *error = (Error){0};
    bool ok = config_parse(&config, text, "x.yaml", &override, override ? 1 : 0, error);
    ck_assert_msg(!ok, "accepted: %s %s", text ? text : "", override ? override : "");
    ck_assert_int_eq(error->kind, ERROR_INPUT);
    ck_assert_msg(strchr(error->message, '\n') == NULL, "%s", error->message);
    ck_assert_int_eq(memcmp(&config, &before, sizeof config), 0);
}
