// One pass over libyaml's events with a stack of open collections. The bytes are checked before
// libyaml sees them (size, UTF-8), because its reader reports an offset only and its scanner is
// quadratic in depth.

#include "emulator/formats/yaml_tree.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "sandbox/base/utf8.h"

struct reader {
    yaml_parser_t parser;
    const char *name;
    const char *bytes;
    size_t len;
    struct yaml_node *root;
    struct yaml_node *open[YAML_TREE_MAX_DEPTH];
    size_t depth;
    int documents;
    struct error *error;
};

static void place_of(const char *bytes, size_t len, size_t offset, int *ret_line, int *ret_column)
{
    int line = 1;
    int column = 1;
    for (size_t at = 0; at < offset && at < len;) {
        uint32_t code;
        size_t used = utf8_decode(bytes + at, len - at, &code);
        column = bytes[at] == '\n' ? 1 : column + 1;
        line += bytes[at] == '\n';
        at += used;
    }
    *ret_line = line;
    *ret_column = column;
}

static int fail_at(struct reader *reader, int line, int column, const char *reason)
{
    return error_set(reader->error, ERROR_PROJECT, "%s:%d:%d: %s", reader->name, line, column,
                     reason);
}

static int fail_offset(struct reader *reader, size_t offset, const char *reason)
{
    int line;
    int column;
    place_of(reader->bytes, reader->len, offset, &line, &column);
    return fail_at(reader, line, column, reason);
}

static int fail_event(struct reader *reader, const yaml_event_t *event, const char *reason)
{
    return fail_at(reader, (int)event->start_mark.line + 1, (int)event->start_mark.column + 1,
                   reason);
}

static int check_bytes(struct reader *reader)
{
    if (reader->len > YAML_TREE_MAX_BYTES) {
        return error_set(reader->error, ERROR_PROJECT, _("%s: larger than 64 KB"), reader->name);
    }
    for (size_t at = 0; at < reader->len;) {
        uint32_t code;
        size_t used = utf8_decode(reader->bytes + at, reader->len - at, &code);
        if (code == UTF8_REPLACEMENT && used < 3) { // a real U+FFFD takes three bytes
            fail_offset(reader, at, _("not valid UTF-8"));
            return error_set_hint(reader->error, _("save the file as UTF-8"));
        }
        at += used;
    }
    return 0;
}

// libyaml's own words stay English: they are what a reader finds when searching for them.
static int fail_parser(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem ? parser->problem : "invalid YAML";
    if (parser->error == YAML_READER_ERROR) {
        fail_offset(reader, parser->problem_offset, problem);
    } else if (parser->context) {
        auto_free char *text = str_printf("%s (%s, line %d)", problem, parser->context,
                                          (int)parser->context_mark.line + 1);
        fail_at(reader, (int)parser->problem_mark.line + 1, (int)parser->problem_mark.column + 1,
                text);
    } else {
        fail_at(reader, (int)parser->problem_mark.line + 1, (int)parser->problem_mark.column + 1,
                problem);
    }
    static const struct {
        const char *problem, *hint;
    } hints[] = {
        {"cannot start any token",
         N_("YAML is indented with blanks, never with tabs; quote a value "
            "that begins with a special character")},
        {"mapping values are not allowed", N_("quote a value that holds \": \"; or the line is "
                                              "indented wrongly")},
        {"block end", N_("the line is indented wrongly, or a value needs quotes")},
        {"alphabetic or numeric", N_("quote a value that begins with * or &")},
        {"end of stream", N_("a closing quote or bracket is missing")},
        {"simple key", N_("a key ends with a colon and a blank")},
    };
    for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
        if (strstr(problem, hints[i].problem)) {
            return error_set_hint(reader->error, "%s", _(hints[i].hint));
        }
    }
    return error_set_hint(reader->error, _("mend the YAML at that place"));
}

static struct yaml_node *new_node(enum yaml_kind kind, const yaml_event_t *event)
{
    struct yaml_node *node = mem_alloc(sizeof *node);
    node->kind = kind;
    node->line = (int)event->start_mark.line + 1;
    node->column = (int)event->start_mark.column + 1;
    return node;
}

// A tag asks a reader to make something else of the value; only those that say what it is anyway
// are harmless.
static int check_tag(struct reader *reader, const yaml_event_t *event, const yaml_char_t *tag,
                     const char *own)
{
    auto_free char *known = str_printf("tag:yaml.org,2002:%s", own);
    const char *name = (const char *)tag;
    if (!name || strcmp(name, "!") == 0 || strcmp(name, known) == 0) {
        return 0;
    }
    auto_free char *reason = str_printf(_("the tag %.60s is not supported"), name);
    fail_event(reader, event, reason);
    return error_set_hint(reader->error, _("remove it; quote a value that begins with !"));
}

static void attach(struct reader *reader, struct yaml_node *node)
{
    if (reader->depth == 0) {
        reader->root = node;
        return;
    }
    struct yaml_node *parent = reader->open[reader->depth - 1];
    size_t used = parent->count;
    if ((used & (used - 1)) == 0) { // at powers of two
        size_t room = used ? used * 2 : 1;
        parent->items = mem_resize(parent->items, room * sizeof *parent->items);
    }
    parent->items[parent->count++] = node;
}

static int open_collection(struct reader *reader, enum yaml_kind kind, const yaml_event_t *event)
{
    const yaml_char_t *tag =
        kind == YAML_KIND_MAP ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    if (check_tag(reader, event, tag, kind == YAML_KIND_MAP ? "map" : "seq") < 0) {
        return -1;
    }
    if (reader->depth == YAML_TREE_MAX_DEPTH) {
        return fail_event(reader, event, _("nested deeper than 32 levels"));
    }
    struct yaml_node *node = new_node(kind, event);
    attach(reader, node);
    reader->open[reader->depth++] = node;
    return 0;
}

static int add_scalar(struct reader *reader, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    if (check_tag(reader, event, event->data.scalar.tag, "str") < 0) {
        return -1;
    }
    if (memchr(value, '\0', event->data.scalar.length)) { // "\0" in double quotes
        return fail_event(reader, event, _("a NUL character in a text"));
    }
    struct yaml_node *node = new_node(YAML_KIND_TEXT, event);
    node->text = str_dup_len(value, event->data.scalar.length);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || event->data.scalar.tag;
    attach(reader, node);
    return 0;
}

static int take_event(struct reader *reader, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (reader->documents++ > 0) {
            return fail_event(reader, event, _("a second document (---); only one is read"));
        }
        return 0;
    case YAML_ALIAS_EVENT:
        fail_event(reader, event, _("aliases (*name) are not supported"));
        return error_set_hint(reader->error,
                              _("write the value again; quote a value that begins with *"));
    case YAML_SCALAR_EVENT:
        return add_scalar(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(reader, YAML_KIND_LIST, event);
    case YAML_MAPPING_START_EVENT:
        return open_collection(reader, YAML_KIND_MAP, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        reader->depth--;
        return 0;
    default:
        return 0;
    }
}

static int read_events(struct reader *reader)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&reader->parser, &event)) {
            return fail_parser(reader);
        }
        bool ended = event.type == YAML_STREAM_END_EVENT;
        int result = take_event(reader, &event);
        yaml_event_delete(&event);
        if (result < 0 || ended) {
            return result;
        }
    }
}

int yaml_tree_parse(const char *bytes, size_t len, const char *name, struct yaml_node **ret_root,
                    struct error *error)
{
    if (len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) {
        bytes += 3;
        len -= 3;
    }
    struct reader reader = {.name = name, .bytes = bytes, .len = len, .error = error};
    if (check_bytes(&reader) < 0) {
        return -1;
    }
    if (!yaml_parser_initialize(&reader.parser)) {
        abort(); // out of memory
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, len);
    int result = read_events(&reader);
    yaml_parser_delete(&reader.parser);
    if (result < 0) {
        yaml_tree_free(reader.root);
        return -1;
    }
    *ret_root = reader.root;
    return 0;
}

void yaml_tree_free(struct yaml_node *node)
{
    if (!node) {
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        yaml_tree_free(node->items[i]);
    }
    free(node->items);
    free(node->text);
    free(node);
}

bool yaml_node_is_null(const struct yaml_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; node->kind == YAML_KIND_TEXT && !node->quoted && i < 5; i++) {
        if (strcmp(node->text, nulls[i]) == 0) {
            return true;
        }
    }
    return false;
}
