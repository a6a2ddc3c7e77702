/* Tests of lib/base: the command line, and the nearest name that its errors suggest. */
#include "tests/suite.h"

#include "base/nearest.h"
#include "base/options.h"

#include <math.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* -- nearest --------------------------------------------------------------------------------- */

START_TEST(the_nearest_name_is_found)
{
    const char *const names[] = {"steps", "sampler", "seed", "variance", "beta_tilde",
                                 "lr",    "a_b",     "c_b",  "x_y_z"};
    const struct {
        const char *word, *expected;
    } cases[] = {
        {"stesp", "steps"},           /* swapped */
        {"step", "steps"},            /* missing */
        {"stepps", "steps"},          /* doubled */
        {"sead", "seed"},             /* substituted */
        {"var", "variance"},          /* abbreviated */
        {"Beta-Tilde", "beta_tilde"}, /* case and dash */
        {"rl", "lr"},
        {"va", NULL},       /* too short to be an abbreviation */
        {"X-Y-Z", "x_y_z"}, /* further than allowed, if dashes counted */
        {"d_b", "a_b"},     /* as near to c_b, which comes later */
        {"xyz", NULL},
        {"", NULL},
        {"stepsandmore", NULL},
        {"learning_rate", NULL},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        const char *found = nearest_name(cases[i].word, names, COUNT(names));
        ck_assert_msg((found == NULL) == (cases[i].expected == NULL) &&
                          (found == NULL || strcmp(found, cases[i].expected) == 0),
                      "\"%s\" gives %s", cases[i].word, found != NULL ? found : "nothing");
    }
    ck_assert_ptr_null(nearest_name("steps", names, 0));
}
END_TEST

START_TEST(nearest_bounds_its_work)
{
    char word[100000];
    memset(word, 's', sizeof word);
    word[sizeof word - 1] = '\0';
    const char *const names[] = {word, "steps"};
    ck_assert_ptr_null(nearest_name(word, names, 2));
    ck_assert_str_eq(nearest_name("stesp", names, 2), "steps");
    word[64] = '\0'; /* the longest that is compared */
    ck_assert_ptr_eq(nearest_name(word, names, 2), word);
}
END_TEST

/* -- options --------------------------------------------------------------------------------- */

typedef struct Settings {
    bool quiet;
    bool help;
    const char *out;
    int64_t steps;
    int64_t seed;
    double eta;
    double rate;
    int sampler;
    StringList overrides;
    StringList positional;
    Error error;
} Settings;

/* Reads a command line, its words ended by NULL. To be forgotten after. */
static bool parse(Settings *settings, const char *const *words)
{
    *settings = (Settings){.steps = 7, .seed = -1, .eta = 0.5, .sampler = -1};
    const Option options[] = {
        option_heading("Sampling"),
        option_integer("steps", "K", &settings->steps, 1, 1000000, "reverse steps"),
        option_integer("seed", "S", &settings->seed, 0, INT64_MAX, "random seed"),
        option_number("eta", "E", &settings->eta, 0, 1, "noise of DDIM"),
        option_number("rate", "R", &settings->rate, -INFINITY, INFINITY, "any number"),
        option_choice("sampler", "ddpm|ddim", &settings->sampler, "how to step"),
        option_string("out", "FILE", &settings->out, "where to"),
        option_list("set", "KEY=VALUE", &settings->overrides, "overrides one key"),
        option_flag("quiet", &settings->quiet, "errors only"),
        option_flag("help", &settings->help, "this page"),
    };
    int count = 0;
    char *argv[32];
    for (; words[count] != NULL && count < COUNT(argv); count++)
        argv[count] = (char *)words[count];
    return options_parse(options, COUNT(options), count, argv, &settings->positional,
                         &settings->error);
}

static void forget(Settings *settings)
{
    string_list_free(&settings->overrides);
    string_list_free(&settings->positional);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(options_of_every_kind_are_read)
{
    Settings s;
    ck_assert(parse(&s, WORDS("sample", "--steps", "50", "--eta=0.25", "--quiet", "--sampler",
                              "ddim", "--set", "a.b=1", "--out=x=y.png", "more", "--set=c=2",
                              "--rate", "-1e-3", "-", "--", "--steps")));
    ck_assert_int_eq(s.steps, 50);
    ck_assert(s.eta == 0.25);
    ck_assert(s.rate == -1e-3);
    ck_assert(s.quiet && !s.help);
    ck_assert_int_eq(s.sampler, 1);
    ck_assert_str_eq(s.out, "x=y.png");
    ck_assert_int_eq(s.seed, -1); /* not given: untouched */
    ck_assert_int_eq(s.overrides.count, 2);
    ck_assert_str_eq(s.overrides.items[0], "a.b=1");
    ck_assert_str_eq(s.overrides.items[1], "c=2");
    ck_assert_int_eq(s.positional.count, 4);
    ck_assert_str_eq(s.positional.items[0], "sample");
    ck_assert_str_eq(s.positional.items[1], "more");
    ck_assert_str_eq(s.positional.items[2], "-");
    ck_assert_str_eq(s.positional.items[3], "--steps");
    forget(&s);
}
END_TEST

START_TEST(limits_count_as_inside_and_the_last_value_wins)
{
    Settings s;
    ck_assert(parse(&s, WORDS("--steps=1", "--steps", "1000000", "--eta=0", "--eta=1",
                              "--seed=9223372036854775807", "--out=--quiet", "-h")));
    ck_assert_int_eq(s.steps, 1000000);
    ck_assert(s.eta == 1);
    ck_assert_int_eq(s.seed, INT64_MAX);
    ck_assert_str_eq(s.out, "--quiet");
    ck_assert(s.help && !s.quiet);
    forget(&s);

    ck_assert(parse(&s, (const char *const[]){NULL}));
    ck_assert_int_eq(s.steps, 7);
    ck_assert_int_eq(s.positional.count, 0);
    forget(&s);
}
END_TEST

START_TEST(errors_say_what_was_expected)
{
    const struct {
        const char *words[4];
        const char *message;
    } cases[] = {
        {{"--stpes", "5"}, "unknown option --stpes; did you mean --steps?"},
        {{"--stpes=5"}, "unknown option --stpes; did you mean --steps?"},
        {{"-steps", "5"}, "unknown option -steps; did you mean --steps?"},
        {{"---steps", "5"}, "unknown option ---steps; did you mean --steps?"},
        {{"--frobnicate"}, "unknown option --frobnicate; --help lists the options"},
        {{"-x"}, "unknown option -x; --help lists the options"},
        {{"--=5"}, "unknown option --; --help lists the options"},
        {{"--step", "5"}, "unknown option --step; did you mean --steps?"},
        {{"--steps"}, "--steps needs a value: --steps K"},
        {{"--steps", "--quiet"}, "--steps needs a value: --steps K"},
        {{"--steps="}, "--steps: expected an integer from 1 to 1000000, got \"\""},
        {{"--steps", "many"}, "--steps: expected an integer from 1 to 1000000, got \"many\""},
        {{"--steps", "5x"}, "--steps: expected an integer from 1 to 1000000, got \"5x\""},
        {{"--steps", " 5"}, "--steps: expected an integer from 1 to 1000000, got \" 5\""},
        {{"--steps", "1e3"}, "--steps: expected an integer from 1 to 1000000, got \"1e3\""},
        {{"--steps", "0"}, "--steps: expected an integer from 1 to 1000000, got \"0\""},
        {{"--steps", "1000001"}, "--steps: expected an integer from 1 to 1000000, got \"1000001\""},
        {{"--seed", "-1"}, "--seed: expected an integer of at least 0, got \"-1\""},
        {{"--seed", "9223372036854775808"},
         "--seed: expected an integer of at least 0, got \"9223372036854775808\""},
        {{"--eta", "1.5"}, "--eta: expected a number from 0 to 1, got \"1.5\""},
        {{"--eta", "nan"}, "--eta: expected a number from 0 to 1, got \"nan\""},
        {{"--eta", ""}, "--eta: expected a number from 0 to 1, got \"\""},
        {{"--rate", "inf"}, "--rate: expected a number, got \"inf\""},
        {{"--rate", "1e999"}, "--rate: expected a number, got \"1e999\""},
        {{"--rate", "2,5"}, "--rate: expected a number, got \"2,5\""},
        {{"--sampler", "ddp"}, "--sampler: expected one of ddpm|ddim, got \"ddp\""},
        {{"--sampler", "ddpm|ddim"}, "--sampler: expected one of ddpm|ddim, got \"ddpm|ddim\""},
        {{"--sampler="}, "--sampler: expected one of ddpm|ddim, got \"\""},
        {{"--out="}, "--out: expected FILE, got nothing"},
        {{"--set", ""}, "--set: expected KEY=VALUE, got nothing"},
        {{"--quiet=yes"}, "--quiet takes no value, got \"yes\""},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        Settings s;
        ck_assert_msg(!parse(&s, cases[i].words), "accepted %s", cases[i].words[0]);
        ck_assert_int_eq(s.error.kind, ERROR_INPUT);
        ck_assert_str_eq(s.error.message, cases[i].message);
        forget(&s);
    }
}
END_TEST

START_TEST(ranges_may_be_open_or_negative)
{
    int64_t any = 0, negative = 0;
    double below = 0, above = 0;
    const Option options[] = {
        option_integer("any", "N", &any, INT64_MIN, INT64_MAX, ""),
        option_integer("negative", "N", &negative, INT64_MIN, -1, ""),
        option_number("below", "X", &below, -INFINITY, 0, ""),
        option_number("above", "X", &above, 0, INFINITY, ""),
    };
    const struct {
        char *word;
        const char *message; /* NULL: accepted */
    } cases[] = {
        {"--any=-9223372036854775808", NULL},
        {"--any=x", "--any: expected an integer, got \"x\""},
        {"--negative=-5", NULL},
        {"--negative=5", "--negative: expected an integer of at most -1, got \"5\""},
        {"--below=-0.5", NULL},
        {"--below=0.5", "--below: expected a number of at most 0, got \"0.5\""},
        {"--above=0.5", NULL},
        {"--above=-0.5", "--above: expected a number of at least 0, got \"-0.5\""},
        {"word", "unexpected argument \"word\"; options begin with --"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        Error error = {0};
        bool accepted = options_parse(options, COUNT(options), 1, &cases[i].word, NULL, &error);
        ck_assert_int_eq(accepted, cases[i].message == NULL);
        if (!accepted)
            ck_assert_str_eq(error.message, cases[i].message);
    }
    ck_assert(any == INT64_MIN && negative == -5 && below == -0.5 && above == 0.5);
}
END_TEST

START_TEST(the_help_page_shows_every_option)
{
    bool flag = false;
    int64_t number = 0;
    const char *text = NULL;
    const Option options[] = {
        option_heading("Sampling"),
        option_integer("steps", "K", &number, 1, 10, "how many reverse steps"),
        option_flag(
            "quiet", &flag,
            "print nothing but errors, neither the progress bars nor the summary at the end"),
        option_heading("Files"),
        option_string("a-name-that-is-rather-long", "PLACEHOLDER", &text, "on a line of its own"),
    };
    char page[2000] = "";
    FILE *out = fmemopen(page, sizeof page, "w");
    options_print_help(options, COUNT(options), out);
    fclose(out);
    ck_assert_str_eq(
        page, "Sampling\n"
              "  --steps K  how many reverse steps\n"
              "  --quiet    print nothing but errors, neither the progress bars nor the summary\n"
              "             at the end\n"
              "\n"
              "Files\n"
              "  --a-name-that-is-rather-long PLACEHOLDER\n"
              "             on a line of its own\n");
}
END_TEST

SUITE_MAIN("options", the_nearest_name_is_found, nearest_bounds_its_work,
           options_of_every_kind_are_read, limits_count_as_inside_and_the_last_value_wins,
           errors_say_what_was_expected, ranges_may_be_open_or_negative,
           the_help_page_shows_every_option)
