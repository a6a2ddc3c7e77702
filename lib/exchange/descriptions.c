/* Members of descriptions, and the complaints about them. */
#include "exchange/descriptions.h"

#include <stdio.h>
#include <string.h>

static bool refuse(const Described *d, const char *key, const char *expected)
{
    const Json *member = json_member(d->json, key);
    double number;
    if (json_is_absent(member))
        return error_input(d->error, "%s: %s is missing, expected %s", d->path, key, expected);
    if (json_get_text(member))
        return error_input(d->error, "%s: %s is \"%.60s\", expected %s", d->path, key,
                           json_get_text(member), expected);
    if (json_get_number(member, &number))
        return error_input(d->error, "%s: %s is %.10g, expected %s", d->path, key, number,
                           expected);
    return error_input(d->error, "%s: %s has a value that can't be taken, expected %s", d->path,
                       key, expected);
}

bool described_integer(const Described *d, const char *key, int64_t missing, int64_t low,
                       int64_t high, int *value)
{
    const Json *member = json_member(d->json, key);
    int64_t integer = missing;
    if ((json_is_absent(member) || json_get_integer(member, &integer)) && integer >= low &&
        integer <= high) {
        *value = (int)integer;
        return true;
    }
    char expected[80];
    snprintf(expected, sizeof expected, "an integer from %lld to %lld", (long long)low,
             (long long)high);
    return refuse(d, key, expected);
}

bool described_number(const Described *d, const char *key, double missing, double *value)
{
    const Json *member = json_member(d->json, key);
    *value = missing;
    return json_is_absent(member) || json_get_number(member, value) || refuse(d, key, "a number");
}

/* 0 stands for the schedule's own, so that a description can't say it. */
bool described_beta(const Described *d, const char *key, double missing, double *value)
{
    return described_number(d, key, missing, value) &&
           ((*value > 0 && *value < 1) || refuse(d, key, "a number above 0 and below 1"));
}

bool described_list(const Described *d, const char *key, int most, int *values, int *count)
{
    const Json *list = json_member(d->json, key);
    if (!json_is_list(list))
        return refuse(d, key, "a list of integers");
    if (json_count(list) > (size_t)most)
        return error_input(d->error, "%s: %s has %zu entries, expected at most %d", d->path, key,
                           json_count(list), most);
    *count = (int)json_count(list);
    for (int i = 0; i < *count; i++) {
        int64_t integer;
        if (!json_get_integer(json_entry(list, (size_t)i), &integer) || integer < 1 ||
            integer > 65536)
            return refuse(d, key, "a list of integers");
        values[i] = (int)integer;
    }
    return true;
}

bool described_text_is(const Described *d, const char *key, const char *only, const char *also)
{
    const Json *member = json_member(d->json, key);
    const char *text = json_get_text(member);
    char expected[128];
    snprintf(expected, sizeof expected, "%s%s%s", only, also ? " or " : "", also ? also : "");
    return json_is_absent(member) ||
           (text && (strcmp(text, only) == 0 || (also && strcmp(text, also) == 0))) ||
           refuse(d, key, expected);
}

bool described_is_absent(const Described *d, const char *key)
{
    return json_is_absent(json_member(d->json, key)) || refuse(d, key, "none");
}

bool described_number_is(const Described *d, const char *key, double missing, double only)
{
    double number;
    if (!described_number(d, key, missing, &number))
        return false;
    return number == only ||
           error_input(d->error, "%s: %s is %.10g, expected %.10g", d->path, key, number, only);
}

bool described_truth_is(const Described *d, const char *key, bool missing, bool only)
{
    const Json *member = json_member(d->json, key);
    bool truth = missing;
    if (!json_is_absent(member) && !json_get_truth(member, &truth))
        return refuse(d, key, "true or false");
    if (truth == only)
        return true;
    return error_input(d->error, "%s: %s is %s, expected %s", d->path, key, only ? "false" : "true",
                       only ? "true" : "false");
}
