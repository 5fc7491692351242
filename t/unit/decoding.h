/* decoding: what the tests of decoding share: a document decoded, and applied to nothing. */
#ifndef OIDUNA_TEST_DECODING_H
#define OIDUNA_TEST_DECODING_H
#include "document.h"

/* documents around one field or more */
#define TRACK(fields) "{'tracks':{'k':{'params':{'s':'bd'}," fields "}}}"
#define PARAMS(fields) "{'tracks':{'k':{'params':{'s':'bd'," fields "}}}}"
#define MIDI(fields) "{'tracks_midi':{'m':{'channel':1," fields "}}}"
#define EVENT(fields) "{'sequences':{'k':{'events':[{'step':0},{'step':1," fields "}]}}}"
#define LINE(fields) "{'mixer_lines':{'l':{" fields "}}}"
#define ENV(fields) "{'environment':{" fields "}}"
#define MESSAGE(params) "{'messages':[{'destination_id':'midi','step':1,'params':{" params "}}]}"
#define OSC(params) "{'messages':[{'destination_id':'plain','step':1,'params':{" params "}}]}"

static struct ir_error error;
static struct ir_warnings warnings;

__attribute__((unused)) static struct ir_doc *decoded(const char *text)
{
    struct ir_doc *doc = NULL;
    ir_warnings_free(&warnings);
    return ir_decode(text, strlen(text), &config, &doc, &warnings, &error) ? NULL : doc;
}

/* Takes ownership of the document; the error that applying it gives, or 0. */
__attribute__((unused)) static int refuse(struct ir_doc *doc)
{
    struct ir_model *base = ir_model_new(), *model;
    int rc = ir_apply(base, doc, &model, &error);
    if (!rc)
        ir_model_unref(model);
    ir_model_unref(base);
    ir_doc_unref(doc);
    return rc;
}

#endif
