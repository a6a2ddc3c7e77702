/* YAML to keys: libyaml turns the text into a tree whose nodes know their lines, and the tree is
 * walked.
 *
 * The tree is two levels deep at most, so the walk is a loop over sections and a loop over keys;
 * every value goes through the table (config_keys.c). A key may also be written with its dots at
 * the top level ("stage1.batch: 64"), as in --set.
 */
#include "config/config_reader.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

static ConfigSource source(const ConfigReader *reader, const yaml_node_t *node)
{
    if (reader->override)
        return (ConfigSource){.override = reader->override};
    return (ConfigSource){.line = (int)node->start_mark.line + 1};
}

/* -- Nodes of the tree ------------------------------------------------------------------------- */

/* A scalar's text, NULL for other nodes and for text with a NUL byte in it. */
static const char *scalar(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE)
        return NULL;
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

static bool is_quoted(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

/* "key:" with nothing behind it. */
static bool is_nothing(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && !is_quoted(node) && node->data.scalar.length == 0;
}

static int child_count(const yaml_node_t *list)
{
    return (int)(list->data.sequence.items.top - list->data.sequence.items.start);
}

/* The value that was found, to follow "got". */
typedef char Got[CONFIG_MAX_QUOTE + 32];

static const char *describe(const yaml_node_t *node, Got got)
{
    ConfigQuote quote;
    if (node->type == YAML_SEQUENCE_NODE)
        return "a list";
    if (node->type == YAML_MAPPING_NODE)
        return "a mapping";
    if (is_nothing(node))
        return "nothing";
    if (!scalar(node))
        return "text with a NUL byte";
    snprintf(got, sizeof(Got), "%s\"%s\"", is_quoted(node) ? "the text " : "",
             config_clip(quote, scalar(node)));
    return got;
}

/* Refuses tags (!!int, !Ref): the table gives the type of each value. */
static bool check_tag(ConfigReader *reader, const yaml_node_t *node, const char *key)
{
    static const char *const implied[] = {YAML_STR_TAG, YAML_SEQ_TAG, YAML_MAP_TAG};
    const char *tag = (const char *)node->tag;
    for (int i = 0; tag && i < 3; i++) {
        if (strcmp(tag, implied[i]) == 0)
            return true;
    }
    ConfigQuote quote;
    return config_fail(reader, source(reader, node), key,
                       "expected a value without a tag, got \"%s\"",
                       tag ? config_clip(quote, tag) : "");
}

/* -- Values ------------------------------------------------------------------------------------ */

static bool read_list(ConfigReader *reader, yaml_document_t *document, const ConfigKey *key,
                      const yaml_node_t *node)
{
    char expectation[CONFIG_EXPECTATION_SIZE];
    config_key_expectation(key, expectation);
    Got got;
    if (node->type != YAML_SEQUENCE_NODE)
        return config_fail(reader, source(reader, node), key->path, "expected %s, got %s",
                           expectation, describe(node, got));

    const char *items[CONFIG_MAX_LEVELS] = {0};
    int count = child_count(node);
    if (count < key->min_entries || count > CONFIG_MAX_LEVELS)
        return config_fail(reader, source(reader, node), key->path, "expected %s, got %d of them",
                           expectation, count);

    Config unused = reader->config;
    for (int i = 0; i < count; i++) {
        const yaml_node_t *item =
            yaml_document_get_node(document, node->data.sequence.items.start[i]);
        items[i] = is_quoted(item) ? NULL : scalar(item);
        if (!items[i] || !config_key_set(key, &unused, &items[i], 1))
            return config_fail(reader, source(reader, item), key->path,
                               "expected %s, got %s as number %d", expectation, describe(item, got),
                               i + 1);
        if (!check_tag(reader, item, key->path))
            return false;
    }
    return config_key_set(key, &reader->config, items, count);
}

/* A list of numbers. A file or an override may name a text file that has one; a checkpoint, which is
 * read without a thought, may not. */
static bool read_reals(ConfigReader *reader, yaml_document_t *document, const ConfigKey *key,
                       const yaml_node_t *node)
{
    const char *path = scalar(node);
    char expectation[CONFIG_EXPECTATION_SIZE];
    config_key_expectation(key, expectation);
    Got got;
    Error error = {0};
    if (path && path[0] != '\0' && (reader->is_file || reader->override))
        return config_key_set_from_file(key, &reader->config, path, &error) ||
               config_fail(reader, source(reader, node), key->path, "%s", error.message);
    if (node->type != YAML_SEQUENCE_NODE || child_count(node) > CONFIG_MAX_BETAS)
        return config_fail(reader, source(reader, node), key->path, "expected %s, got %s",
                           expectation,
                           node->type == YAML_SEQUENCE_NODE ? "more of them" : describe(node, got));

    const int count = child_count(node);
    const char **items = memory_small((size_t)count + 1, sizeof *items);
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        const yaml_node_t *item =
            yaml_document_get_node(document, node->data.sequence.items.start[i]);
        items[i] = is_quoted(item) ? NULL : scalar(item);
        if (!items[i] || !config_key_allows(key, items[i]))
            ok = config_fail(reader, source(reader, item), key->path,
                             "expected %s, got %s as number %d", expectation, describe(item, got),
                             i + 1);
        ok = ok && check_tag(reader, item, key->path);
    }
    ok = ok && config_key_set(key, &reader->config, items, count);
    memory_free(items);
    return ok;
}

/* A list of paths, each of which may be quoted. */
static bool read_paths(ConfigReader *reader, yaml_document_t *document, const ConfigKey *key,
                       const yaml_node_t *node)
{
    enum { MOST = CONFIG_TEXT_SIZE / 2 };
    const char *items[MOST] = {0};
    const int count = child_count(node);
    char expectation[CONFIG_EXPECTATION_SIZE];
    config_key_expectation(key, expectation);
    Got got;
    for (int i = 0; i < count && i < MOST; i++) {
        const yaml_node_t *item =
            yaml_document_get_node(document, node->data.sequence.items.start[i]);
        items[i] = scalar(item);
        if (!items[i] || items[i][0] == '\0')
            return config_fail(reader, source(reader, item), key->path,
                               "expected %s, got %s as number %d", expectation, describe(item, got),
                               i + 1);
        if (!check_tag(reader, item, key->path))
            return false;
    }
    return (count <= MOST && config_key_set(key, &reader->config, items, count)) ||
           config_fail(reader, source(reader, node), key->path,
                       "expected %s with at most %d bytes in all, got %d of them", expectation,
                       CONFIG_TEXT_SIZE - 1, count);
}

static bool read_scalar(ConfigReader *reader, const ConfigKey *key, const yaml_node_t *node)
{
    bool is_text = key->type == KEY_NAME || key->type == KEY_PATH || key->type == KEY_PATHS ||
                   key->type == KEY_CHOICE;
    const char *text = is_quoted(node) && !is_text ? NULL : scalar(node);
    if (text && config_key_set(key, &reader->config, &text, 1))
        return true;
    char expectation[CONFIG_EXPECTATION_SIZE];
    config_key_expectation(key, expectation);
    Got got;
    return config_fail(reader, source(reader, node), key->path, "expected %s, got %s", expectation,
                       describe(node, got));
}

static bool read_value(ConfigReader *reader, yaml_document_t *document, int index,
                       const yaml_node_t *name, const yaml_node_t *node)
{
    const ConfigKey *key = &config_keys[index];
    ConfigSource here = source(reader, name);
    if (!reader->override && reader->given[index].line > 0)
        return config_fail(reader, here, key->path, "expected once, got it in line %d already",
                           reader->given[index].line);
    reader->given[index] = here;
    if (!check_tag(reader, node, key->path))
        return false;
    if (key->type == KEY_PATHS && node->type == YAML_SEQUENCE_NODE)
        return read_paths(reader, document, key, node);
    if (key->type == KEY_REALS)
        return read_reals(reader, document, key, node);
    return key->type == KEY_LIST ? read_list(reader, document, key, node)
                                 : read_scalar(reader, key, node);
}

/* -- The tree ---------------------------------------------------------------------------------- */

static bool read_mapping(ConfigReader *reader, yaml_document_t *document, const char *section,
                         const yaml_node_t *mapping);

static bool read_section(ConfigReader *reader, yaml_document_t *document, const char *section,
                         const yaml_node_t *name, const yaml_node_t *node)
{
    int *line = &reader->section_line[config_section_find(section)];
    ConfigSource here = source(reader, name);
    Got got;
    if (*line > 0)
        return config_fail(reader, here, section, "expected once, got it in line %d already",
                           *line);
    *line = here.line;
    if (!check_tag(reader, node, section))
        return false;
    if (is_nothing(node)) /* all of its keys commented out, say */
        return true;
    if (node->type != YAML_MAPPING_NODE)
        return config_fail(reader, source(reader, node), section,
                           "expected a mapping of keys, got %s", describe(node, got));
    return read_mapping(reader, document, section, node);
}

static bool read_pair(ConfigReader *reader, yaml_document_t *document, const char *section,
                      const yaml_node_t *name, const yaml_node_t *node)
{
    Got got;
    const char *word = scalar(name);
    if (!word)
        return config_fail(reader, source(reader, name), section, "expected a key, got %s",
                           describe(name, got));

    char *path = memory_format("%s%s%s", section ? section : "", section ? "." : "", word);
    int index = config_key_find(path);
    bool ok;
    if (index >= 0)
        ok = read_value(reader, document, index, name, node);
    else if (!section && config_section_find(word) >= 0)
        ok = read_section(reader, document, word, name, node);
    else
        ok = config_fail_unknown(reader, source(reader, name), path);
    memory_free(path);
    return ok;
}

/* `section` is NULL for the top level. */
static bool read_mapping(ConfigReader *reader, yaml_document_t *document, const char *section,
                         const yaml_node_t *mapping)
{
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(document, pair->key);
        const yaml_node_t *node = yaml_document_get_node(document, pair->value);
        if (!read_pair(reader, document, section, name, node))
            return false;
    }
    return true;
}

/* -- libyaml ----------------------------------------------------------------------------------- */

int config_line_of(const char *text, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset && text[i] != '\0'; i++)
        line += text[i] == '\n';
    return line;
}

const char *config_without_mark(const char *text)
{
    return strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
}

/* Reports a mistake of syntax with its line and, if libyaml knows it, the line where the broken
 * construct begins. At the end of a text libyaml counts one line too many. */
static bool fail_syntax(ConfigReader *reader, const yaml_parser_t *parser, const char *text)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return error_runtime(reader->error, "no memory for reading %s", reader->origin);
    size_t size = strlen(text);
    bool in_bytes = parser->error == YAML_READER_ERROR; /* before lines are told apart */
    int last = config_line_of(text, size > 0 ? size - 1 : 0);
    int line = in_bytes ? config_line_of(text, parser->problem_offset)
                        : (int)parser->problem_mark.line + 1;
    ConfigSource at = {.line = line < last ? line : last, .override = reader->override};

    int begin = parser->context ? (int)parser->context_mark.line + 1 : at.line;
    char from[32] = "";
    if (begin < at.line && !reader->override)
        snprintf(from, sizeof from, " from line %d", begin);
    return config_fail(reader, at, NULL, "expected YAML, but %s%s%s%s", parser->problem,
                       parser->context ? " " : "", parser->context ? parser->context : "", from);
}

/* Parses the one document of `text`; the caller deletes it. */
static bool parse_document(ConfigReader *reader, const char *text, yaml_document_t *document)
{
    text = config_without_mark(text);
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return error_runtime(reader->error, "no memory for reading %s", reader->origin);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));

    yaml_document_t second;
    bool ok = yaml_parser_load(&parser, document);
    if (!ok) {
        fail_syntax(reader, &parser, text);
    } else if (yaml_document_get_root_node(document)) {
        ok = yaml_parser_load(&parser, &second);
        if (!ok) {
            fail_syntax(reader, &parser, text);
        } else {
            ConfigSource at = {.line = (int)second.start_mark.line + 1,
                               .override = reader->override};
            if (yaml_document_get_root_node(&second))
                ok = config_fail(reader, at, NULL, "expected one YAML document, got a second one");
            yaml_document_delete(&second);
        }
        if (!ok)
            yaml_document_delete(document);
    }
    yaml_parser_delete(&parser);
    return ok;
}

/* Bytes of a text besides digits, and what stands between the digits of a list of numbers: points, a
 * comma with a space, an exponent. None of these opens anything in YAML. */
static size_t bytes_besides_numbers(const char *text)
{
    size_t count = 0;
    char last = '\0';
    for (; *text != '\0'; last = *text++) {
        const bool after_digit = last >= '0' && last <= '9';
        const bool is_part = (*text >= '0' && *text <= '9') || *text == '.' ||
                             ((*text == ',' || *text == 'e') && after_digit) ||
                             (*text == ' ' && last == ',') || (*text == '-' && last == 'e');
        count += !is_part;
    }
    return count;
}

/* -- Documents and values ---------------------------------------------------------------------- */

bool config_read_yaml(ConfigReader *reader, const char *text)
{
    yaml_document_t document;
    Got got;
    if (strnlen(text, CONFIG_MAX_BYTES + 1) > CONFIG_MAX_BYTES ||
        bytes_besides_numbers(text) > CONFIG_MAX_TEXT)
        return config_fail(reader, (ConfigSource){0}, NULL, "expected at most %d bytes of YAML",
                           CONFIG_MAX_TEXT);
    if (!parse_document(reader, text, &document))
        return false;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    bool ok = !root || check_tag(reader, root, NULL);
    const bool empty = !root || is_nothing(root);
    if (ok && empty && reader->is_file)
        ok =
            config_fail(reader, (ConfigSource){0}, NULL,
                        "holds no key, expected a recipe ({} for one in which all is the default)");
    else if (ok && !empty && root->type == YAML_MAPPING_NODE)
        ok = read_mapping(reader, &document, NULL, root);
    else if (ok && !empty)
        ok = config_fail(reader, source(reader, root), NULL,
                         "expected a mapping of keys (\"model: {channels: 64}\"), got %s",
                         describe(root, got));
    yaml_document_delete(&document);
    return ok;
}

bool config_read_yaml_value(ConfigReader *reader, int index, const char *text)
{
    static yaml_char_t empty[] = "";
    static const yaml_node_t nothing = {
        .type = YAML_SCALAR_NODE,
        .tag = (yaml_char_t *)YAML_STR_TAG,
        .data.scalar = {.value = empty, .style = YAML_PLAIN_SCALAR_STYLE},
    };
    yaml_document_t document;
    if (!parse_document(reader, text, &document))
        return false;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    if (!root)
        root = &nothing;
    bool ok = read_value(reader, &document, index, root, root);
    yaml_document_delete(&document);
    return ok;
}
