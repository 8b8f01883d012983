/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/blobs/s3/xml.h"

#include "base/error.h"

#include <libxml/parser.h>
#include <limits.h>

#define OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS)

DEFINE_CLEANUP(xmlDocPtr, xmlFreeDoc)

void s3_xml_init(void) {
    xmlInitParser();
}

static bool is_named(const xmlNode *node, const char *name) {
    return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

/* NULL when it is not a document without a DTD (in which entities could be) with that root. */
static xmlDocPtr parse(Str xml, const char *root) {
    xmlDocPtr document = xml.len > 0 && xml.len <= INT_MAX
                             ? xmlReadMemory(xml.ptr, (int)xml.len, NULL, NULL, OPTIONS)
                             : NULL;
    const xmlNode *top = document ? xmlDocGetRootElement(document) : NULL;

    if (top && !document->intSubset && is_named(top, root)) {
        return document;
    }
    xmlFreeDoc(document);
    return NULL;
}

static const char *text_of(xmlNode *parent, const char *name, Arena *arena) {
    for (xmlNode *node = parent->children; node; node = node->next) {
        if (is_named(node, name)) {
            xmlChar *content = xmlNodeGetContent(node);
            const char *text = arena_strdup(arena, str_from(content ? (char *)content : ""));
            xmlFree(content);
            return text;
        }
    }
    return NULL;
}

const char *s3_xml_error(Str xml, Arena *arena) {
    _cleanup_(xmlFreeDocp) xmlDocPtr document = parse(xml, "Error");
    const char *code = document ? text_of(xmlDocGetRootElement(document), "Code", arena) : NULL;

    return document && !code ? "" : code;
}

int s3_xml_text(Str xml, const char *root, const char *name, Arena *arena, const char **ret_text) {
    _cleanup_(xmlFreeDocp) xmlDocPtr document = parse(xml, root);
    const char *text = document ? text_of(xmlDocGetRootElement(document), name, arena) : NULL;

    if (!text) {
        return err_trace(-EBADMSG);
    }
    *ret_text = text;
    return 0;
}

static const char *text_or_empty(xmlNode *parent, const char *name, Arena *arena) {
    const char *text = text_of(parent, name, arena);

    return text ? text : "";
}

static size_t count(const xmlNode *top, const char *row) {
    size_t n = 0;

    for (const xmlNode *node = top->children; node; node = node->next) {
        n += is_named(node, row);
    }
    return n;
}

int s3_xml_rows(Str xml, const char *root, const char *row, Arena *arena, S3XmlRow **ret_rows,
                size_t *ret_n, bool *ret_truncated) {
    _cleanup_(xmlFreeDocp) xmlDocPtr document = parse(xml, root);
    xmlNode *top = document ? xmlDocGetRootElement(document) : NULL;
    S3XmlRow *rows;
    size_t n = 0;

    if (!top) {
        return err_trace(-EBADMSG);
    }
    rows = arena_alloc(arena, (count(top, row) + 1) * sizeof(*rows));
    for (xmlNode *node = top->children; node; node = node->next) {
        if (is_named(node, row)) {
            rows[n++] = (S3XmlRow){.key = text_or_empty(node, "Key", arena),
                                   .upload = text_or_empty(node, "UploadId", arena),
                                   .size = text_or_empty(node, "Size", arena),
                                   .changed = text_or_empty(node, "LastModified", arena)};
        }
    }
    *ret_truncated = strcmp(text_or_empty(top, "IsTruncated", arena), "true") == 0;
    *ret_rows = rows;
    *ret_n = n;
    return 0;
}
