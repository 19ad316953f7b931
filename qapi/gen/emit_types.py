# SPDX-License-Identifier: MIT
"""PREFIX-types.h and .c: enums, structs, and wrappers around qapi/visit.c."""

from schema import c_enum_constant, c_name

HEADER = """/* SPDX-License-Identifier: MIT */
/* Generated from the schema by qapi/gen: do not edit. Types of options and of JSON output. */
"""
C_TYPES = {"str": "char *", "bool": "bool ", "int": "int64_t ", "size": "uint64_t "}
KINDS = {"str": "QAPI_STR", "bool": "QAPI_BOOL", "int": "QAPI_INT", "size": "QAPI_SIZE"}


def has_flag(member):
    """Whether presence is told by a bool beside the value, and not by a NULL pointer."""
    return (member.optional and not member.struct and not member.is_list
            and member.type != "str")


def declare_enum(enum):
    out = []
    if enum.external:
        # The public header that declares it belongs to a later layer, hence int.
        c_type = "int"
    else:
        c_type = enum.name
        out.append("typedef enum %s {" % enum.name)
        out += ["    %s," % c_enum_constant(enum.name, v) for v in enum.values]
        out += ["    %s," % c_enum_constant(enum.name, "_max"), "} %s;" % enum.name, ""]
    out.append("/* NULL if @value is none. */")
    out.append("const char *qapi_%s_str(%s value);" % (enum.name, c_type))
    out.append("/* False with @error: \"invalid parameter value: TEXT\". */")
    out.append("bool qapi_%s_parse(const char *text, %s *value, GError **error);"
               % (enum.name, c_type))
    return out + [""]


def define_enum(enum):
    c_type = "int" if enum.external else enum.name
    count = len(enum.values)
    out = ["static const char *const %s_values[] = {" % enum.name]
    out += ['    "%s",' % v for v in enum.values]
    out += ["    NULL", "};", ""]
    if not enum.external:
        out += ["G_STATIC_ASSERT(sizeof(%s) == sizeof(int));" % enum.name, ""]
    out += [
        "const char *qapi_%s_str(%s value)" % (enum.name, c_type),
        "{",
        "    return (unsigned)value < %d ? %s_values[value] : NULL;" % (count, enum.name),
        "}",
        "",
        "bool qapi_%s_parse(const char *text, %s *value, GError **error)" % (enum.name, c_type),
        "{",
        "    int index = qapi_enum_parse(%s_values, text, error);" % enum.name,
        "",
        "    if (index < 0) {",
        "        return false;",
        "    }",
        "    *value = (%s)index;" % c_type,
        "    return true;",
        "}",
        "",
    ]
    return out


def member_c_type(member):
    if member.struct:
        return "%s *%s" % (member.type, "*" if member.is_list else "")
    if member.enum:
        c_type = "int " if member.enum.external else member.type + " "
        return c_type + ("*" if member.is_list else "")
    return C_TYPES[member.type]


def declare_member(member):
    name = c_name(member.name)
    out = []
    if has_flag(member):
        out.append("    bool has_%s;" % name)
    if member.is_list:
        out.append("    size_t n_%s;" % name)
    note = "    /* NULL: absent */" if member.optional and not has_flag(member) else ""
    out.append("    %s%s;%s" % (member_c_type(member), name, note))
    return out


def declare_struct(struct):
    name = struct.name
    out = ["/* %s */" % struct.doc] if struct.doc else []
    out.append("typedef struct %s {" % name)
    for member in struct.members:
        out += declare_member(member)
    out += [
        "} %s;" % name,
        "",
        "%s *qapi_%s_parse(const QDict *dict, GError **error);" % (name, name),
        "QDict *qapi_%s_to_qdict(const %s *value);" % (name, name),
        "void qapi_%s_free(%s *value);" % (name, name),
        "G_DEFINE_AUTOPTR_CLEANUP_FUNC(%s, qapi_%s_free)" % (name, name),
        "",
    ]
    return out


def member_kind(member):
    if member.struct:
        return "QAPI_STRUCT"
    return "QAPI_ENUM" if member.enum else KINDS[member.type]


def describe_member(struct, member):
    name = c_name(member.name)
    fields = ['.name = "%s"' % member.name, ".kind = %s" % member_kind(member),
              ".offset = offsetof(%s, %s)" % (struct.name, name)]
    if member.optional:
        fields.append(".is_optional = true")
    if member.is_list:
        fields += [".is_list = true", ".has_offset = offsetof(%s, n_%s)" % (struct.name, name)]
    if has_flag(member):
        fields.append(".has_offset = offsetof(%s, has_%s)" % (struct.name, name))
    if member.enum:
        fields.append(".values = %s_values" % member.type)
    if member.struct:
        fields.append(".type = &%s_type" % member.type)
    return ["    { " + ",\n      ".join(fields) + " },"]


def define_struct(struct):
    name = struct.name
    out = ["static const QapiMember %s_members[] = {" % name]
    for member in struct.members:
        out += describe_member(struct, member)
    out += [
        "    { .name = NULL }",
        "};",
        "",
        "static const QapiStruct %s_type = {" % name,
        '    .name = "%s", .size = sizeof(%s), .members = %s_members,' % (name, name, name),
        "};",
        "",
        "%s *qapi_%s_parse(const QDict *dict, GError **error)" % (name, name),
        "{",
        "    return qapi_struct_parse(&%s_type, dict, error);" % name,
        "}",
        "",
        "QDict *qapi_%s_to_qdict(const %s *value)" % (name, name),
        "{",
        "    return qapi_struct_to_qdict(&%s_type, value);" % name,
        "}",
        "",
        "void qapi_%s_free(%s *value)" % (name, name),
        "{",
        "    qapi_struct_free(&%s_type, value);" % name,
        "}",
        "",
    ]
    return out


def types_h(schema, prefix):
    guard = "QAPI_%s_TYPES_H" % c_name(prefix).upper()
    out = [HEADER, "#ifndef " + guard, "#define " + guard, "",
           "#include <cairn/qdict.h>", ""]
    for enum in schema.enums.values():
        out += declare_enum(enum)
    for struct in schema.structs.values():
        out += declare_struct(struct)
    return "\n".join(out + ["#endif", ""])


def types_c(schema, prefix):
    out = [HEADER, '#include "%s-types.h"' % prefix, "", '#include "qapi/visit.h"', ""]
    for enum in schema.enums.values():
        out += define_enum(enum)
    for struct in schema.structs.values():
        out += define_struct(struct)
    return "\n".join(out)
