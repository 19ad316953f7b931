# SPDX-License-Identifier: MIT
"""PREFIX-options.h and .c: a table of OptionDesc for each struct with "options"."""

from schema import c_name, c_string

HEADER = """/* SPDX-License-Identifier: MIT */
/* Generated from the schema by qapi/gen: do not edit. The drivers' option tables. */
"""
OPTION_TYPES = {"str": "OPTION_STRING", "bool": "OPTION_BOOL", "int": "OPTION_NUMBER",
                "size": "OPTION_SIZE"}


def describe_option(option):
    fields = [".name = %s" % c_string(option.name), ".type = %s" % OPTION_TYPES[option.type]]
    if option.member.help:
        fields.append(".help = %s" % c_string(option.member.help))
    if option.member.default is not None:
        fields.append(".default_value = %s" % c_string(option.member.default))
    if option.member.reopenable:
        fields.append(".reopenable = true")
    if option.choices:
        fields.append(".choices = %s_choices" % option.member.type)
    return "    { " + ",\n      ".join(fields) + " },"


def used_enums(schema):
    names = {o.member.type for s in schema.option_structs()
             for o in schema.options_of(s) if o.choices}
    return [enum for enum in schema.enums.values() if enum.name in names]


def options_h(schema, prefix):
    guard = "QAPI_%s_OPTIONS_H" % c_name(prefix).upper()
    out = [HEADER, "#ifndef " + guard, "#define " + guard, "",
           "#include <cairn/qdict.h>", ""]
    for struct in schema.option_structs():
        out.append("extern const OptionDesc qapi_options_%s[];" % struct.name)
    return "\n".join(out + ["", "#endif", ""])


def options_c(schema, prefix):
    out = [HEADER, '#include "%s-options.h"' % prefix, ""]
    for enum in used_enums(schema):
        out.append("static const char *const %s_choices[] = {" % enum.name)
        out += ["    %s," % c_string(value) for value in enum.values]
        out += ["    NULL", "};", ""]
    for struct in schema.option_structs():
        out.append("const OptionDesc qapi_options_%s[] = {" % struct.name)
        out += [describe_option(option) for option in schema.options_of(struct)]
        out += ["    { .name = NULL }", "};", ""]
    return "\n".join(out)
