/*
 * elements.h - the few elements that the command line reads out of S3's XML answers.
 *
 * Not an XML parser (that is server/s3/xml.c, which this layer may not use): it looks for <name>...</name> in text of bounded size, does not nest elements of
 * one name, and knows no comments, CDATA or entities but the five of XML and character references. Answers of S3 servers have none of these. Whatever the text
 * is, it reads inside of it and ends.
 */
#ifndef ADMIN_CLI_ELEMENTS_H
#define ADMIN_CLI_ELEMENTS_H

#include <stdbool.h>

#include "storage/base/arena.h"
#include "storage/base/str.h"

/* The content of the first element of that name in *text, which is moved behind it. False: there is none (and *text is as it was). */
bool element_next(struct str *text, const char *name, struct str *ret_content);

/* The text of the first element of that name within, with references replaced. .data is NULL when there is none, it holds elements, or a
 * reference is wrong. */
struct str element_text(struct str within, const char *name, struct arena *arena);

#endif
