/*
 * xml.h - S3's documents: printing them, and reading the few that clients send.
 *
 * Reading is for hostile input (reliability.md E1): at most LIMIT_XML_BYTES, no DTD, no entities but the five of XML and character references, no network,
 * nesting at most 16, UTF-8 only. Namespaces are ignored: clients send documents with and without one.
 */
#ifndef SERVER_S3_XML_H
#define SERVER_S3_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/arena.h"
#include "storage/base/buf.h"
#include "storage/base/err.h"

#define S3_XMLNS "http://s3.amazonaws.com/doc/2006-03-01/"

/* ---- printing: in the arena's hands; errors show at xml_end ---- */

struct xml {
    struct arena *arena;
    struct buf out;
    const char *root;
};

/* The declaration and <root xmlns="...">. bytes_max bounds the document. */
struct xml *xml_begin(struct arena *arena, const char *root, size_t bytes_max); /* NULL: no memory */
void xml_open(struct xml *x, const char *name);
void xml_close(struct xml *x, const char *name);
void xml_text(struct xml *x, const char *name, struct str text); /* <name>escaped</name> */
void xml_key(struct xml *x, const char *name, struct str key, bool is_url); /* is_url: percent-encoded but for '/' (encoding-type=url) */
void xml_u64(struct xml *x, const char *name, uint64_t value);
void xml_bool(struct xml *x, const char *name, bool value);
void xml_raw(struct xml *x, const char *fixed); /* a constant piece */
/* </root>, and the document; lives as long as the arena. ERR_NO_MEMORY, ERR_TOO_LARGE. */
struct err xml_end(struct xml *x, struct str *ret);

/* ---- reading ---- */

/* An element: its local name, its own text (of leaves), its children. All in the arena. */
struct xml_node {
    struct str name, text;
    struct xml_node *children, *next; /* first child; next sibling */
};

/* ERR_MALFORMED_XML, ERR_NO_MEMORY. root: the name that the outermost element must have; two may be allowed ("A|B"). */
struct err xml_parse(struct str document, const char *root, struct arena *arena, struct xml_node **ret);

/* The first child of that name; NULL without one. */
const struct xml_node *xml_child(const struct xml_node *node, const char *name);
/* Its text; .data NULL without such a child. */
struct str xml_child_text(const struct xml_node *node, const char *name);

#endif
