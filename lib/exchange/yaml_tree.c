/* YAML as a tree of JSON: mappings, sequences and scalars. A plain scalar is a number or a truth
 * value if it looks like one; a quoted one is a text. libyaml takes quadratic time for deep
 * nesting, so that only small files are read, and anchors are refused. */
#include "exchange/json.h"

#include "base/memory.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MOST_BYTES = 65536, MOST_DEPTH = 16 };

static json_t *plain_scalar(const char *text, size_t length)
{
    char *end;
    if (strcmp(text, "true") == 0 || strcmp(text, "True") == 0)
        return json_true();
    if (strcmp(text, "false") == 0 || strcmp(text, "False") == 0)
        return json_false();
    if (strcmp(text, "null") == 0 || strcmp(text, "~") == 0 || text[0] == '\0')
        return json_null();
    errno = 0;
    const long long integer = strtoll(text, &end, 10);
    if (*end == '\0' && errno == 0)
        return json_integer(integer);
    const double number = strtod(text, &end);
    json_t *real = *end == '\0' ? json_real(number) : NULL; /* NULL if it is not finite */
    return real ? real : json_stringn(text, length);
}

/* What a text is read from, and what is wrong with it. */
typedef struct Reading {
    yaml_document_t document;
    const char *problem;
    long line;
} Reading;

/* NULL, with what is wrong at the node. */
static json_t *reject(Reading *r, const yaml_node_t *node, const char *problem)
{
    if (!r->problem) {
        r->problem = problem;
        r->line = (long)node->start_mark.line + 1;
    }
    return NULL;
}

static json_t *tree_of(Reading *r, int index, int depth);

/* Puts one pair of a mapping into the object. */
static bool put_pair(Reading *r, const yaml_node_pair_t *pair, int depth, json_t *object)
{
    const yaml_node_t *key = yaml_document_get_node(&r->document, pair->key);
    const char *name = (const char *)key->data.scalar.value;
    if (key->type != YAML_SCALAR_NODE)
        return reject(r, key, "a key is no text");
    if (json_object_get(object, name))
        return reject(r, key, "a key is there twice");
    return json_object_set_new(object, name, tree_of(r, pair->value, depth + 1)) == 0;
}

/* The tree of a node; NULL with the problem. */
static json_t *tree_of(Reading *r, int index, int depth)
{
    const yaml_node_t *node = yaml_document_get_node(&r->document, index);
    if (depth > MOST_DEPTH)
        return reject(r, node, "nested too deeply");
    if (node->type == YAML_SCALAR_NODE) {
        const char *text = (const char *)node->data.scalar.value;
        if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
            return plain_scalar(text, node->data.scalar.length);
        return json_stringn(text, node->data.scalar.length);
    }
    const bool is_list = node->type == YAML_SEQUENCE_NODE;
    json_t *tree = is_list ? json_array() : json_object();
    bool ok = true;
    for (yaml_node_item_t *item = is_list ? node->data.sequence.items.start : NULL;
         is_list && ok && item < node->data.sequence.items.top; item++)
        ok = json_array_append_new(tree, tree_of(r, *item, depth + 1)) == 0;
    for (yaml_node_pair_t *pair = is_list ? NULL : node->data.mapping.pairs.start;
         !is_list && ok && pair < node->data.mapping.pairs.top; pair++)
        ok = put_pair(r, pair, depth, tree);
    if (!ok) {
        json_decref(tree);
        return reject(r, node, "a text is no UTF-8");
    }
    return tree;
}

/* Loads the document, and makes its tree. */
static json_t *load(yaml_parser_t *parser, Reading *r)
{
    json_t *tree = NULL;
    if (yaml_parser_load(parser, &r->document) == 0) {
        r->problem = parser->problem;
        r->line = (long)parser->problem_mark.line + 1;
        return NULL;
    }
    if (yaml_document_get_root_node(&r->document))
        tree = tree_of(r, 1, 0);
    else
        r->problem = "it holds nothing";
    yaml_document_delete(&r->document);
    return tree;
}

bool yaml_parse(Json **json, const char *text, size_t size, const char *origin, Error *error)
{
    yaml_parser_t parser;
    Reading reading = {.line = 1};
    *json = NULL;
    if (size > MOST_BYTES || memchr(text, '&', size) || !yaml_parser_initialize(&parser))
        return error_input(error,
                           "%s: expected at most %d bytes of YAML without anchors, and without the "
                           "character & in comments",
                           origin, MOST_BYTES);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    *json = load(&parser, &reading);
    const bool ok =
        *json || error_input(error, "%s:%ld: is no YAML that can be read: %s", origin, reading.line,
                             reading.problem ? reading.problem : "no memory");
    yaml_parser_delete(&parser);
    return ok;
}
