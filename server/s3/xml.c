/*
 * xml.c - S3's documents, over libxml2's SAX2 parser (the only file that knows it).
 *
 * SAX and not a tree: we build our own small nodes in the request's arena, refuse a DTD the moment it begins, and stop at a depth. So no entity is ever
 * declared, and nothing outlives the request.
 */
#include "server/s3/xml.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"

#define DEPTH_MAX 16
#define NAMES_KEPT 16 /* no document of S3's that clients send has more */

/* ---- printing ---- */

static void xml_free(void *arg)
{
    buf_done(&((struct xml *)arg)->out);
}

struct xml *xml_begin(struct arena *arena, const char *root, size_t bytes_max)
{
    struct xml *x = arena_new_of(arena, struct xml);

    if (!x || !arena_defer(arena, xml_free, x)) return NULL;
    x->arena = arena;
    x->root = root;
    buf_init(&x->out, bytes_max);
    buf_printf(&x->out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s xmlns=\"" S3_XMLNS "\">", root);
    return x;
}

void xml_open(struct xml *x, const char *name)
{
    buf_char(&x->out, '<');
    buf_z(&x->out, name);
    buf_char(&x->out, '>');
}

void xml_close(struct xml *x, const char *name)
{
    buf_z(&x->out, "</");
    buf_z(&x->out, name);
    buf_char(&x->out, '>');
}

void xml_text(struct xml *x, const char *name, struct str text)
{
    xml_open(x, name);
    xml_escape_to(&x->out, text);
    xml_close(x, name);
}

void xml_key(struct xml *x, const char *name, struct str key, bool is_url)
{
    xml_open(x, name);
    if (is_url) percent_to(&x->out, key, "/");
    else xml_escape_to(&x->out, key);
    xml_close(x, name);
}

void xml_u64(struct xml *x, const char *name, uint64_t value)
{
    xml_open(x, name);
    buf_u64(&x->out, value);
    xml_close(x, name);
}

void xml_bool(struct xml *x, const char *name, bool value)
{
    xml_text(x, name, value ? STR("true") : STR("false"));
}

void xml_raw(struct xml *x, const char *fixed)
{
    buf_z(&x->out, fixed);
}

struct err xml_end(struct xml *x, struct str *ret)
{
    xml_close(x, x->root);
    TRY(buf_err(&x->out));
    *ret = buf_view(&x->out);
    return OK;
}

/* ---- reading ---- */

struct reader {
    struct arena *arena;
    struct xml_node *root;
    struct xml_node *open[DEPTH_MAX]; /* from the root to the element that is being read */
    struct xml_node *last[DEPTH_MAX]; /* its last child so far, by level */
    struct str names[NAMES_KEPT];     /* of elements so far, so that ten thousand parts hold each name once */
    size_t name_count;
    struct buf text[1]; /* of the element that is being read */
    int depth;
    struct err err;
    xmlParserCtxtPtr parser;
};

static void stop(struct reader *r, struct err e)
{
    if (r->err.code == ERR_OK) r->err = e;
    xmlStopParser(r->parser);
}

static struct err malformed(void)
{
    return FAIL(ERR_MALFORMED_XML, err_text(ERR_MALFORMED_XML));
}

static void attach(struct reader *r, struct xml_node *node)
{
    if (r->depth == 0) {
        r->root = node;
        return;
    }
    struct xml_node *last = r->last[r->depth - 1];
    if (last) last->next = node;
    else r->open[r->depth - 1]->children = node;
    r->last[r->depth - 1] = node;
}

/* .data is NULL for want of memory. */
static struct str keep_name(struct reader *r, struct str name)
{
    for (size_t i = 0; i < r->name_count; i++) {
        if (str_eq(r->names[i], name)) return r->names[i];
    }
    const struct str kept = arena_str(r->arena, name);
    if (kept.data && r->name_count < NAMES_KEPT) r->names[r->name_count++] = kept;
    return kept;
}

static void on_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespace_count, const xmlChar **namespaces, int attribute_count, int default_count,
                     const xmlChar **attributes)
{
    struct reader *r = arg;

    (void)prefix, (void)uri, (void)namespace_count, (void)namespaces, (void)attribute_count,
        (void)default_count, (void)attributes;
    if (r->depth == DEPTH_MAX) {
        stop(r, malformed());
        return;
    }
    struct xml_node *node = arena_new_of(r->arena, struct xml_node);
    if (node) node->name = keep_name(r, str_from_z((const char *)name));
    if (!node || !node->name.data) {
        stop(r, FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY)));
        return;
    }
    attach(r, node);
    r->open[r->depth] = node;
    r->last[r->depth] = NULL;
    r->depth++;
    buf_clear(r->text);
}

static void on_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    struct reader *r = arg;

    (void)name, (void)prefix, (void)uri;
    if (r->depth == 0) return;
    struct xml_node *node = r->open[--r->depth];
    if (!node->children) {
        node->text = arena_str(r->arena, buf_view(r->text));
        if (!node->text.data || buf_err(r->text).code != ERR_OK)
            stop(r, FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY)));
    }
    buf_clear(r->text);
}

static void on_text(void *arg, const xmlChar *text, int len)
{
    struct reader *r = arg;
    if (r->depth > 0 && len > 0) buf_append(r->text, text, (size_t)len);
}

/* A document type declaration: the way to every entity attack. None of S3's documents has one. */
static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name, (void)external, (void)system;
    stop(arg, malformed());
}

static void on_message(void *arg, const char *format, ...)
{
    (void)arg, (void)format; /* what is wrong shows in wellFormed */
}

static const xmlSAXHandler handler = {
    .initialized = XML_SAX2_MAGIC,
    .startElementNs = on_start,
    .endElementNs = on_end,
    .characters = on_text,
    .cdataBlock = on_text,
    .internalSubset = on_doctype,
    .externalSubset = on_doctype,
    .warning = on_message,
    .error = on_message,
    .fatalError = on_message,
};

static bool name_is_allowed(struct str name, const char *allowed)
{
    struct str piece;

    for (struct str_split it = str_split_on(str_from_z(allowed), '|'); str_split_next(&it, &piece);) {
        if (str_eq(piece, name)) return true;
    }
    return false;
}

static struct err run_parser(struct reader *r, struct str document)
{
    xmlSAXHandler copy = handler;

    r->parser = xmlCreatePushParserCtxt(&copy, r, NULL, 0, NULL);
    if (!r->parser) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    xmlCtxtUseOptions(r->parser,
                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NODICT);
    r->parser->sax->warning = r->parser->sax->error = r->parser->sax->fatalError = on_message;
    const int result = xmlParseChunk(r->parser, document.data, (int)document.len, 1);
    const bool is_well_formed = r->parser->wellFormed;
    xmlFreeParserCtxt(r->parser);
    if (r->err.code != ERR_OK) return r->err;
    return result == 0 && is_well_formed && r->root ? OK : malformed();
}

struct err xml_parse(struct str document, const char *root, struct arena *arena, struct xml_node **ret)
{
    struct reader r = { .arena = arena };

    if (document.len == 0 || document.len > LIMIT_XML_BYTES || !str_is_utf8(document)) return malformed();
    buf_init(r.text, LIMIT_XML_BYTES);
    const struct err e = run_parser(&r, document);
    buf_done(r.text);
    TRY(e);
    if (!name_is_allowed(r.root->name, root)) return malformed();
    *ret = r.root;
    return OK;
}

const struct xml_node *xml_child(const struct xml_node *node, const char *name)
{
    for (const struct xml_node *c = node->children; c; c = c->next) {
        if (str_is(c->name, name)) return c;
    }
    return NULL;
}

struct str xml_child_text(const struct xml_node *node, const char *name)
{
    const struct xml_node *child = xml_child(node, name);
    return child ? child->text : STR_NONE;
}
