/* SPDX-License-Identifier: MIT */
/* Option strings and json: names: what is malformed, misplaced, or too large. */
#include "hostile.h"

#include <string.h>

/* A name for `info`, and what stderr says. */
typedef struct OptionCase {
    const char *text, *message;
} OptionCase;

static const OptionCase json_texts[] = {
    { "json:{'driver':'raw','file.filename':'base.raw'}", NULL },
    { "json:{'driver':'raw','file':{'driver':'file','filename':'base.raw'}}", NULL },
    /* unknown keys */
    { "json:{'driver':'raw','file.filename':'base.raw','bogus':1}",
      "does not support the option 'bogus'" },
    { "json:{'driver':'raw','file':{'filename':'base.raw','bogus':1}}", "option 'bogus'" },
    { "json:{'driver':'raw','file.filename':'base.raw','backing.x':1}", "option 'backing.x'" },
    { "json:{'':1}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','.':1}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','file.':1}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','file..x':1}", "" },
    { "json:{'driver':'nope','file.filename':'base.raw'}", "Unknown driver 'nope'" },
    { "json:{'driver':'raw'}", "A block device must be specified for \"file\"" },
    /* duplicate keys */
    { "json:{'driver':'raw','driver':'raw','file.filename':'base.raw'}", "JSON parse error" },
    { "json:{'driver':'raw','file':{'filename':'base.raw','filename':'base.raw'}}",
      "JSON parse error" },
    /* wrong types */
    { "json:{'driver':1}", "" }, { "json:{'driver':null}", "" }, { "json:{'driver':[]}", "" },
    { "json:{'driver':'raw','file':1}", "" }, { "json:{'driver':'raw','file':true}", "" },
    { "json:{'driver':'raw','file':[]}", "" }, { "json:{'driver':'raw','file':null}", "" },
    { "json:{'driver':'raw','file.filename':true}", "" },
    { "json:{'driver':'raw','file.filename':1}", "" },
    { "json:{'driver':'raw','file.filename':null}", "" },
    { "json:{'driver':'raw','file.filename':''}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':true}", "size" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':'x'}", "size" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':{}}", "size" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':[1]}", "size" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':1.5}", "size" },
    { "json:{'driver':'raw','file.filename':'base.raw','read-only':1}", "read-only" },
    { "json:{'driver':'raw','file.filename':'base.raw','read-only':'1'}", "read-only" },
    { "json:{'driver':'raw','file.filename':'base.raw','discard':true}", "discard" },
    { "json:{'driver':'raw','file.filename':'base.raw','discard':7}", "discard" },
    /* numbers */
    { "json:{'driver':'raw','file.filename':'base.raw','offset':-1}", "offset" },
    { "json:{'driver':'raw','file.filename':'base.raw','offset':4097}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':9223372036854775807}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':9223372036854775808}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':18446744073709551615}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':18446744073709551616}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':1e30}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','size':1e999}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','offset':9223372036854775807,'size':1}", "" },
    { "json:{'driver':'raw','file.filename':'base.raw','offset':512,'size':18446744073709551104}", "" },
    { "json:{'driver':'null-co','size':9223372036854775808}", "" },
    { "json:{'driver':'qcow','file.filename':'base.raw','l2-cache-size':18446744073709551616}", "" },
    /* not JSON */
    { "json:", "JSON parse error" }, { "json:{", "JSON parse error" },
    { "json:{}", "Must specify either driver or file" }, { "json:[]", "Invalid JSON object given" },
    { "json:1", "" }, { "json:'x'", "" }, { "json:null", "" },
    { "json:{'driver':'raw',}", "JSON parse error" }, { "json:{'driver' 'raw'}", "JSON parse error" },
    { "json:{'driver':'raw'}x", "JSON parse error" }, { "json:{'a':NaN}", "JSON parse error" },
    { "json:{'driver':'\\u0000'}", "JSON parse error" }, { "json:{'driver':'\\ud800'}", "JSON parse error" },
    { "json:{'driver':'\xff'}", "JSON parse error" }, { "json:{'driver':'a\nfake:'}", "JSON parse error" },
    { "json:{'driver':'a\\nfake:'}", "Unknown driver" }, { "json:{'driver':'\\u001b[2J'}", "Unknown driver" },
};

static const OptionCase option_texts[] = {
    { "driver=raw,file.filename=base.raw", NULL },
    { "driver=raw,file.filename=base.raw,bogus=1", "does not support the option 'bogus'" },
    { "driver=raw,file.filename=base.raw,file.bogus=1", "option 'bogus'" },
    { "driver=raw,file.filename=nope,file.filename=base.raw", NULL },
    { "driver=raw,file.filename=base.raw,size=x", "size" },
    { "driver=raw,file.filename=base.raw,size=-1", "size" },
    { "driver=raw,file.filename=base.raw,size=9223372036854775808", "" },
    { "driver=raw,file.filename=base.raw,size=18446744073709551616", "size" },
    { "driver=raw,file.filename=base.raw,size=16E", "size" },
    { "driver=raw,file.filename=base.raw,size=99999999999999999999999999", "size" },
    { "driver=raw,file.filename=base.raw,size=1e9", "size" },
    { "driver=raw,file.filename=base.raw,size=0x10000000000000000", "size" },
    { "driver=raw,file.filename=base.raw,read-only=maybe", "read-only" },
    { "driver=raw,file.filename=base.raw,file.locking=maybe", "locking" },
    { "driver=raw,file.filename=base.raw,node-name=\033[2J", "node-name" },
    { "driver=a\nfake:,file.filename=base.raw", "Unknown driver" },
    { "driver=raw,file.filename=base.raw,a\nfake:=1", "" },
    { "driver=raw,file.filename=a\nfake: yes", "" },
    { "driver=quorum,vote-threshold=1,children.99999999999999999999.file.filename=base.raw", "" },
    { "driver=quorum,vote-threshold=1,children.1.file.filename=base.raw", "" },
    { "driver=quorum,vote-threshold=1,children.-1.file.filename=base.raw", "" },
    { "=", "" }, { ",", "" }, { "driver=", "" }, { ".=1", "" }, { "a.=1", "" }, { ".a=1", "" },
    { "driver.=raw", "" }, { "driver=raw,file.filename.x=1,file.filename=base.raw", "" },
};

static void options_try(HostileRunner *r, const char *name, gboolean is_string, const char *text,
                        const char *message)
{
    const char *words[] = { "info", text, is_string ? "--image-opts" : NULL, NULL };

    hostile_try_words(r, name, words, message);
}

static void options_tables(HostileRunner *r)
{
    for (size_t i = 0; i < G_N_ELEMENTS(json_texts) + G_N_ELEMENTS(option_texts); i++) {
        gboolean is_string = i >= G_N_ELEMENTS(json_texts);
        const OptionCase *c = is_string ? &option_texts[i - G_N_ELEMENTS(json_texts)]
                                        : &json_texts[i];
        g_autofree char *name = NULL;

        if (hostile_wants(r, 1, &name, "options/%s/%zu", is_string ? "string" : "json", i)) {
            options_try(r, name, is_string, c->text, c->message);
        }
    }
}

/* @head, @middle so many times, @tail as often. */
static char *options_repeat(const char *head, const char *middle, int count, const char *tail)
{
    g_autoptr(GString) text = g_string_new(head);

    for (int i = 0; i < count; i++) {
        g_string_append(text, middle);
    }
    for (int i = 0; i < count; i++) {
        g_string_append(text, tail);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/*
 * Nesting up to and past the limit, more keys than allowed. A text of 1 MiB does not fit on a command line, where
 * the kernel allows 128 KiB for a word: tests/unit/qapi has it.
 */
static void options_large(HostileRunner *r)
{
    static const struct {
        const char *head, *middle, *tail;
        int count;
        const char *message;
    } large[] = {
        { "json:", "{\"a\":", "}", 100, "JSON parse error" },
        { "json:", "[", "]", 127, "Invalid JSON object given" },
        { "json:", "[", "]", 129, "JSON parse error" },
        { "json:", "[", "", 60000, "JSON parse error" },
        { "json:", "{\"a\":", "", 20000, "JSON parse error" },
        { "json:{\"driver\":\"raw\",\"x\":", "[", "]}", 20000, "JSON parse error" },
        { "json:[0", ",0", "]", 5000, "JSON parse error" },
        { "json:{\"a", "a", "", 300, "JSON parse error" },
        { "driver=raw,file.filename=base.raw", ",a=1", "", 5000, "" },
        { "driver=raw,file.filename=base.raw,a", ".a", "", 30000, "" },
        { "driver=raw,file.filename=base.raw,a.0", ".0", "", 30000, "" },
        { "driver=raw,file.filename=", "a", "", 100000, "" },
        { "driver=", "file", "", 20000, "Unknown driver" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(large); i++) {
        g_autofree char *text = options_repeat(large[i].head, large[i].middle, large[i].count,
                                               large[i].tail);
        g_autofree char *name = NULL;

        if (hostile_wants(r, 1, &name, "options/large/%zu", i)) {
            options_try(r, name, !g_str_has_prefix(text, "json:"), text, large[i].message);
        }
    }
}

/* Chains made by options: each file is the one above's child. */
static void options_nested_drivers(HostileRunner *r)
{
    static const int depths[] = { 1, 10, 60, 100, 126, 200 };

    for (size_t i = 0; i < G_N_ELEMENTS(depths); i++) {
        g_autoptr(GString) text = g_string_new("json:");
        g_autofree char *name = NULL;

        if (!hostile_wants(r, 1, &name, "options/nested-drivers/%d", depths[i])) {
            continue;
        }
        for (int k = 0; k < depths[i]; k++) {
            g_string_append(text, "{'driver':'raw','file':");
        }
        g_string_append(text, "{'driver':'file','filename':'base.raw'}");
        for (int k = 0; k < depths[i]; k++) {
            g_string_append(text, "}");
        }
        options_try(r, name, FALSE, text->str, depths[i] < 128 ? NULL : "JSON parse error");
    }
}

void hostile_options(HostileRunner *r)
{
    options_tables(r);
    options_large(r);
    options_nested_drivers(r);
}
