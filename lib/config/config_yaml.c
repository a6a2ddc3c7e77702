/* Reading a configuration: YAML, then overrides, then checks of the whole.
 *
 * libyaml turns the text into a tree whose nodes know their lines. The tree is two levels deep
 * at most, so walking it is a loop over sections and a loop over keys; every value goes through
 * the table (config_keys.c). The reader remembers where each key was set, so that a
 * contradiction between two keys, found at the very end, still names a line.
 *
 * A key may also be written with its dots at the top level ("stage1.batch: 64"), as in --set.
 */
#include "config/config_keys.h"

#include "base/foreign_file.h"
#include "base/interrupt.h"
#include "base/memory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    MAX_TEXT_SIZE = 16384, /* bytes; a recipe has two thousand. libyaml takes quadratic time for
                              deeply nested text: a second for this much, a minute for ten times */
    MAX_QUOTE = 100,       /* bytes of a file's text that an error repeats */
};

/* Where a key was set: in a line of the file, by an override, or (neither) by default. */
typedef struct Source {
    int line;
    const char *override;
} Source;

typedef struct Reader {
    Config config;
    const char *origin;   /* path of the file, for messages */
    bool is_file;         /* a recipe that somebody wrote, so that it should say something */
    const char *override; /* the "key=value" being read; NULL: the file */
    Source given[CONFIG_KEY_LIMIT];
    int section_line[CONFIG_KEY_LIMIT]; /* indexed by the section's first key; 0: not seen */
    Error *error;
} Reader;

/* ---- Errors ---- */

typedef char Quote[MAX_QUOTE + 8];

/* `text` itself, or as much of it as an error can carry, cut between characters. */
static const char *clip(Quote buffer, const char *text)
{
    size_t length = strnlen(text, MAX_QUOTE + 1);
    if (length <= MAX_QUOTE)
        return text;
    length = MAX_QUOTE;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    snprintf(buffer, sizeof(Quote), "%.*s...", (int)length, text);
    return buffer;
}

/* "FILE:LINE: KEY: ...", or "--set KEY=VALUE: ..." (with the key only if it is another).
 * line 0 and key NULL are left out. */
__attribute__((format(printf, 4, 5))) static bool fail(Reader *reader, Source at, const char *key,
                                                       const char *format, ...)
{
    char detail[sizeof reader->error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);

    bool said = key && at.override && strncmp(at.override, key, strlen(key)) == 0 &&
                at.override[strlen(key)] == '=';
    if (key && !said)
        error_input(reader->error, "%s: %s", key, detail);
    else
        error_input(reader->error, "%s", detail);

    Quote quote;
    if (at.override)
        return error_prefix(reader->error, "--set %s", clip(quote, at.override));
    if (at.line > 0)
        return error_prefix(reader->error, "%s:%d", reader->origin, at.line);
    return error_prefix(reader->error, "%s", reader->origin);
}

static Source source(const Reader *reader, const yaml_node_t *node)
{
    if (reader->override)
        return (Source){.override = reader->override};
    return (Source){.line = (int)node->start_mark.line + 1};
}

/* ---- Nodes of the tree ---- */

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

/* What is there instead of the expected, to follow "got". */
typedef char Got[MAX_QUOTE + 32];

static const char *describe(const yaml_node_t *node, Got got)
{
    Quote quote;
    if (node->type == YAML_SEQUENCE_NODE)
        return "a list";
    if (node->type == YAML_MAPPING_NODE)
        return "a mapping";
    if (is_nothing(node))
        return "nothing";
    if (!scalar(node))
        return "text with a NUL byte";
    snprintf(got, sizeof(Got), "%s\"%s\"", is_quoted(node) ? "the text " : "",
             clip(quote, scalar(node)));
    return got;
}

/* Tags (!!int, !Ref) would say what a value is; here the table says it. */
static bool check_tag(Reader *reader, const yaml_node_t *node, const char *key)
{
    static const char *const usual[] = {YAML_STR_TAG, YAML_SEQ_TAG, YAML_MAP_TAG};
    const char *tag = (const char *)node->tag;
    for (int i = 0; tag && i < 3; i++) {
        if (strcmp(tag, usual[i]) == 0)
            return true;
    }
    Quote quote;
    return fail(reader, source(reader, node), key, "expected a value without a tag, got \"%s\"",
                tag ? clip(quote, tag) : "");
}

/* ---- Values ---- */

static bool read_list(Reader *reader, yaml_document_t *document, const ConfigKey *key,
                      const yaml_node_t *node)
{
    char expectation[CONFIG_EXPECTATION_SIZE];
    config_key_expectation(key, expectation);
    Got got;
    if (node->type != YAML_SEQUENCE_NODE)
        return fail(reader, source(reader, node), key->path, "expected %s, got %s", expectation,
                    describe(node, got));

    const char *items[CONFIG_MAX_LEVELS] = {0};
    int count = child_count(node);
    if (count < key->fewest || count > CONFIG_MAX_LEVELS)
        return fail(reader, source(reader, node), key->path, "expected %s, got %d of them",
                    expectation, count);

    Config unused = reader->config;
    for (int i = 0; i < count; i++) {
        const yaml_node_t *item =
            yaml_document_get_node(document, node->data.sequence.items.start[i]);
        items[i] = is_quoted(item) ? NULL : scalar(item);
        if (!items[i] || !config_key_set(key, &unused, &items[i], 1))
            return fail(reader, source(reader, item), key->path, "expected %s, got %s as number %d",
                        expectation, describe(item, got), i + 1);
        if (!check_tag(reader, item, key->path))
            return false;
    }
    return config_key_set(key, &reader->config, items, count);
}

static bool read_scalar(Reader *reader, const ConfigKey *key, const yaml_node_t *node)
{
    bool is_text = key->type == KEY_NAME || key->type == KEY_PATH || key->type == KEY_CHOICE;
    const char *text = is_quoted(node) && !is_text ? NULL : scalar(node);
    if (text && config_key_set(key, &reader->config, &text, 1))
        return true;
    char expectation[CONFIG_EXPECTATION_SIZE];
    config_key_expectation(key, expectation);
    Got got;
    return fail(reader, source(reader, node), key->path, "expected %s, got %s", expectation,
                describe(node, got));
}

static bool read_value(Reader *reader, yaml_document_t *document, int index,
                       const yaml_node_t *name, const yaml_node_t *node)
{
    const ConfigKey *key = &config_keys[index];
    Source here = source(reader, name);
    if (!reader->override && reader->given[index].line > 0)
        return fail(reader, here, key->path, "expected once, got it in line %d already",
                    reader->given[index].line);
    reader->given[index] = here;
    if (!check_tag(reader, node, key->path))
        return false;
    return key->type == KEY_LIST ? read_list(reader, document, key, node)
                                 : read_scalar(reader, key, node);
}

/* ---- Unknown keys ---- */

static bool fail_unknown(Reader *reader, Source at, const char *path)
{
    Quote quote;
    char section[CONFIG_SECTION_SIZE] = "";
    size_t length = strcspn(path, ".");
    if (length < sizeof section && path[length] == '.')
        memcpy(section, path, length);
    if (config_section_find(section) < 0)
        section[0] = '\0';

    char *near = config_keys_suggest(path), *valid = config_keys_list(section);
    if (near)
        fail(reader, at, NULL, "unknown key \"%s\"; did you mean %s?", clip(quote, path), near);
    else
        fail(reader, at, NULL, "unknown key \"%s\"; the keys%s%s are %s", clip(quote, path),
             *section ? " of " : "", section, valid);
    memory_free(near);
    memory_free(valid);
    return false;
}

/* ---- The tree ---- */

static bool read_mapping(Reader *reader, yaml_document_t *document, const char *section,
                         const yaml_node_t *mapping);

static bool read_section(Reader *reader, yaml_document_t *document, const char *section,
                         const yaml_node_t *name, const yaml_node_t *node)
{
    int *line = &reader->section_line[config_section_find(section)];
    Source here = source(reader, name);
    Got got;
    if (*line > 0)
        return fail(reader, here, section, "expected once, got it in line %d already", *line);
    *line = here.line;
    if (!check_tag(reader, node, section))
        return false;
    if (is_nothing(node)) /* all of its keys commented out, say */
        return true;
    if (node->type != YAML_MAPPING_NODE)
        return fail(reader, source(reader, node), section, "expected a mapping of keys, got %s",
                    describe(node, got));
    return read_mapping(reader, document, section, node);
}

static bool read_pair(Reader *reader, yaml_document_t *document, const char *section,
                      const yaml_node_t *name, const yaml_node_t *node)
{
    Got got;
    const char *word = scalar(name);
    if (!word)
        return fail(reader, source(reader, name), section, "expected a key, got %s",
                    describe(name, got));

    char *path = memory_format("%s%s%s", section ? section : "", section ? "." : "", word);
    int index = config_key_find(path);
    bool ok;
    if (index >= 0)
        ok = read_value(reader, document, index, name, node);
    else if (!section && config_section_find(word) >= 0)
        ok = read_section(reader, document, word, name, node);
    else
        ok = fail_unknown(reader, source(reader, name), path);
    memory_free(path);
    return ok;
}

/* `section` is NULL for the top level. */
static bool read_mapping(Reader *reader, yaml_document_t *document, const char *section,
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

/* ---- libyaml ---- */

static int line_of_offset(const char *text, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset && text[i] != '\0'; i++)
        line += text[i] == '\n';
    return line;
}

/* A mistake has a place, and often a beginning of what it spoils. At the end of the text libyaml
 * counts one line more than there is. */
static bool fail_syntax(Reader *reader, const yaml_parser_t *parser, const char *text)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return error_runtime(reader->error, "no memory for reading %s", reader->origin);
    size_t size = strlen(text);
    bool in_bytes = parser->error == YAML_READER_ERROR; /* before lines are told apart */
    int last = line_of_offset(text, size > 0 ? size - 1 : 0);
    int line = in_bytes ? line_of_offset(text, parser->problem_offset)
                        : (int)parser->problem_mark.line + 1;
    Source at = {.line = line < last ? line : last, .override = reader->override};

    int begin = parser->context ? (int)parser->context_mark.line + 1 : at.line;
    char from[32] = "";
    if (begin < at.line && !reader->override)
        snprintf(from, sizeof from, " from line %d", begin);
    return fail(reader, at, NULL, "expected YAML, but %s%s%s%s", parser->problem,
                parser->context ? " " : "", parser->context ? parser->context : "", from);
}

/* The text after UTF-8's byte order mark, which some editors put first. */
static const char *without_mark(const char *text)
{
    return strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
}

/* Parses the one document of `text`; the caller deletes it. */
static bool parse_document(Reader *reader, const char *text, yaml_document_t *document)
{
    text = without_mark(text);
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
            Source at = {.line = (int)second.start_mark.line + 1, .override = reader->override};
            if (yaml_document_get_root_node(&second))
                ok = fail(reader, at, NULL, "expected one YAML document, got a second one");
            yaml_document_delete(&second);
        }
        if (!ok)
            yaml_document_delete(document);
    }
    yaml_parser_delete(&parser);
    return ok;
}

/* ---- File and overrides ---- */

static bool read_text(Reader *reader, const char *text)
{
    yaml_document_t document;
    Got got;
    if (strnlen(text, MAX_TEXT_SIZE + 1) > MAX_TEXT_SIZE)
        return fail(reader, (Source){0}, NULL, "expected at most %d bytes of YAML", MAX_TEXT_SIZE);
    if (!parse_document(reader, text, &document))
        return false;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    bool ok = !root || check_tag(reader, root, NULL);
    const bool empty = !root || is_nothing(root);
    if (ok && empty && reader->is_file)
        ok = fail(reader, (Source){0}, NULL,
                  "holds no key, expected a recipe ({} for one in which all is the default)");
    else if (ok && !empty && root->type == YAML_MAPPING_NODE)
        ok = read_mapping(reader, &document, NULL, root);
    else if (ok && !empty)
        ok = fail(reader, source(reader, root), NULL,
                  "expected a mapping of keys (\"model: {channels: 64}\"), got %s",
                  describe(root, got));
    yaml_document_delete(&document);
    return ok;
}

static bool read_override_value(Reader *reader, int index, const char *text)
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

static bool read_override(Reader *reader, const char *text)
{
    text = without_mark(text);
    Source at = {.override = text};
    const char *equals = strchr(text, '=');
    if (!equals)
        return fail(reader, at, NULL, "expected KEY=VALUE");
    if (strlen(text) > MAX_TEXT_SIZE)
        return fail(reader, at, NULL, "expected at most %d bytes", MAX_TEXT_SIZE);

    reader->override = text;
    char *path = memory_format("%.*s", (int)(equals - text), text);
    int index = config_key_find(path);
    bool ok;
    if (index >= 0) {
        ok = read_override_value(reader, index, equals + 1);
    } else if (config_section_find(path) >= 0) {
        char *keys = config_keys_list(path);
        ok = fail(reader, at, NULL, "expected a key of section %s: %s", path, keys);
        memory_free(keys);
    } else {
        ok = fail_unknown(reader, at, path);
    }
    memory_free(path);
    reader->override = NULL;
    return ok;
}

/* ---- The whole ---- */

static bool is_given(const Reader *reader, const char *path)
{
    Source at = reader->given[config_key_find(path)];
    return at.line > 0 || at.override;
}

/* The default files hold Fashion-MNIST. A text that describes other images and names no files
 * (a checkpoint may hold only the shape of its model) has none, rather than the wrong ones. */
static bool settle_files(Reader *reader)
{
    Config *config = &reader->config, usual;
    config_defaults(&usual);
    bool usual_images = config->data.format == usual.data.format &&
                        config->data.channels == usual.data.channels &&
                        config->data.resolution == usual.data.resolution;
    bool train = is_given(reader, "data.train"), test = is_given(reader, "data.test");
    if ((train && test) || (usual_images && !train && !test))
        return true;

    int format = config_key_find("data.format");
    if (is_given(reader, "data.format") && config->data.format != DATA_MIXTURE) {
        char *name = config_key_format(&config_keys[format], config, false);
        fail(reader, reader->given[format], train ? "data.test" : "data.train",
             "expected a path since data.format is %s (\"\" for none), got nothing", name);
        memory_free(name);
        return false;
    }
    if (!train)
        memset(config->data.train, 0, sizeof config->data.train);
    if (!test)
        memset(config->data.test, 0, sizeof config->data.test);
    return true;
}

/* The place to name for a contradiction: an override that takes part in it, since the file was
 * fine without; else the line of the key it is about; else a line that takes part. */
static Source blame(const Reader *reader, const Complaint *complaint)
{
    const char *keys[] = {complaint->key, complaint->others[0], complaint->others[1],
                          complaint->others[2]};
    Source at = {0};
    for (int i = 0; i < 4 && keys[i]; i++) {
        Source given = reader->given[config_key_find(keys[i])];
        if (given.override)
            return given;
        if (at.line == 0)
            at = given;
    }
    return at;
}

static bool check_whole(Reader *reader)
{
    Complaint complaint;
    if (config_check(&reader->config, &complaint))
        return true;
    const ConfigKey *key = &config_keys[config_key_find(complaint.key)];
    char *value = config_key_format(key, &reader->config, false);
    fail(reader, blame(reader, &complaint), complaint.key, "expected %s, got \"%s\"%s",
         complaint.expected, value, is_given(reader, complaint.key) ? "" : " by default");
    memory_free(value);
    return false;
}

static bool parse(Config *config, const char *text, const char *origin, bool is_file,
                  const char *const *overrides, int count, Error *error)
{
    Reader reader = {.origin = origin, .is_file = is_file, .error = error};
    config_defaults(&reader.config);
    if (text && !read_text(&reader, text))
        return false;
    for (int i = 0; i < count; i++) {
        if (!read_override(&reader, overrides[i]))
            return false;
    }
    if (!settle_files(&reader) || !check_whole(&reader))
        return false;
    memcpy(config, &reader.config, sizeof *config);
    return true;
}

bool config_parse(Config *config, const char *text, const char *origin,
                  const char *const *overrides, int count, Error *error)
{
    return parse(config, text, origin, false, overrides, count, error);
}

/* At most `most` bytes of a file, which may be a pipe (/dev/stdin, <(...)) that gives them when it likes. */
static bool read_file(const char *path, char *text, size_t most, size_t *size, Error *error)
{
    interrupt_wait_begin();
    FILE *file = fopen(path, "rb");
    bool ok = file != NULL;
    if (ok) {
        errno = 0;
        *size = fread(text, 1, most, file);
        ok = !ferror(file);
    }
    if (!ok)
        error_input(error, "%s: expected a configuration, got: %s", path, strerror(errno));
    if (file)
        fclose(file);
    interrupt_wait_end();
    return ok;
}

/* The text of a file, NUL-terminated; NULL with the error set. Caller frees. */
static char *load_text(const char *path, Error *error)
{
    size_t size = 0;
    char *text = memory_small(MAX_TEXT_SIZE + 2, 1);
    bool ok = read_file(path, text, MAX_TEXT_SIZE + 1, &size, error);
    const ForeignKind kind = foreign_kind_of_bytes((const uint8_t *)text, size);
    if (ok && kind.text[0] != '\0')
        ok = error_input(error, "%s:1: is %s, expected a recipe: YAML in UTF-8", path, kind.text);
    if (ok && strlen(text) < size)
        ok = error_input(error, "%s:%d: expected YAML, got a NUL byte", path,
                         line_of_offset(text, size));
    if (!ok) {
        memory_free(text);
        return NULL;
    }
    return text;
}

bool config_load(Config *config, const char *path, const char *const *overrides, int count,
                 Error *error)
{
    char *text = load_text(path, error);
    bool ok = text && parse(config, text, path, true, overrides, count, error);
    memory_free(text);
    return ok;
}
