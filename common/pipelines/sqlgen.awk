# SPDX-License-Identifier: MIT
#
# Embeds the .sql files of one folder as C (the types are in common/io/sql.h), and refuses
# those that break the rules of the house. Three modes:
#
#   awk -v mode=folder -v folder=commcare -v out=GEN -f sqlgen.awk FILE.sql ...
#       reads sql/STEM.sql and schema/NNNN_what.sql, writes GEN/commcare_sql.c and .h;
#   awk -v mode=all -v out=GEN -f sqlgen.awk FILE.sql ...
#       writes GEN/sql_all.c, the list of all statements; takes names, opens no file;
#   awk -v mode=pipelines -v out=GEN -f sqlgen.awk NAME ...
#       writes GEN/pipeline_list.c and .h, the registry of the pipelines built in.
#
# A statement that is another of its folder but for one word holds its own meaning and then only
# the line "-- as BASE.sql, with NEW for OLD". BASE is read as if it stood there, all but its
# meaning; "_" ends a word, so user for group makes user_id of group_id and leaves groups alone.
# What is wrong in BASE is refused in both.
#
# A refusal is "FILE:LINE: REASON; REMEDY" on standard error and status 1, and nothing is written.
#
# Portable awk: no interval expressions, no gensub, no length of an array. To double a character
# write `&&`, since awks disagree on runs of backslashes.

BEGIN {
    split("bigint integer text boolean timestamptz interval text[] bigint[]", list, " ")
    for (i in list)
        known_type[list[i]] = 1
    printable = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
    printable = printable "abcdefghijklmnopqrstuvwxyz{|}~"
    refusals = 0
    file = ""
    sql_count = schema_count = 0
    if (mode == "all" || mode == "pipelines") {
        if (mode == "all")
            write_all()
        else
            write_pipelines()
        exit 0
    }
    if (mode != "folder" || folder !~ /^[a-z][a-z0-9_]*$/ || out == "") {
        print "sqlgen: pass -v mode=folder|all|pipelines -v folder=NAME -v out=FOLDER" | "cat 1>&2"
        exit (refusals = 1)
    }
    ARGV[ARGC++] = "/dev/null" # without any file awk would read standard input
}

FNR == 1 {
    if (file != "")
        end_file()
    begin_file(FILENAME)
}

{ take_line($0) }

END {
    if (mode == "folder" && !(refusals && file == "")) {
        if (file != "")
            end_file()
        for (i = 1; i < ARGC; i++)
            if (ARGV[i] ~ /\.sql$/ && !(ARGV[i] in seen))
                refuse_at(ARGV[i], 1, "file is empty; its first line says what it means")
        if (!refusals) {
            write_header()
            write_source()
        }
    }
    close("cat 1>&2")
    exit (refusals > 0)
}

# ---- refusals ----

function refuse_at(name, line, text)
{
    printf "%s:%d: %s\n", name, line, text | "cat 1>&2"
    refusals++
}

function refuse(text)
{
    refuse_at(file, FNR, text)
}

# ---- one file ----

function begin_file(name,    parts, n)
{
    file = name
    seen[name] = 1
    n = split(name, parts, "/")
    stem = parts[n]
    sub(/\.sql$/, "", stem)
    is_schema = n > 1 && parts[n - 1] == "schema"
    if (is_schema && stem !~ /^[0-9][0-9][0-9][0-9]_[a-z][a-z0-9_]*$/)
        refuse("schema file is not called NNNN_what.sql; rename it")
    if (!is_schema && stem !~ /^[a-z][a-z0-9_]*$/)
        refuse("statement name is not [a-z][a-z0-9_]*; it becomes a C name, rename the file")
    in_header = 1
    meaning = ""
    body = ""          # C string literals, a line of SQL each
    code = ""          # the SQL without its comments, for what is searched in quotes
    param_count = 0
    is_copy = on_source = is_slow = 0
    works_from = 1
    first_word = ""    # of the statement that is being read, upper case
    base = ""          # file that this one is said as
    in_base = 0
    statements = 0     # ended by a semicolon
    pending = 0        # there is SQL after the last semicolon
    state = ""         # "", ', ", $ (dollar-quoted), * (block comment)
    opened = 0         # line at which state began
    last_line = 0
    split("", param_used)
    split("", param_line)
    split("", setting_read)
}

function take_line(line,    escaped)
{
    last_line = FNR
    if (base != "" && !in_base) {
        refuse("line below \"-- as\"; remove it, the statement is that of " base)
        return
    }
    if (in_header && substr(line, 1, 2) == "--") {
        check_characters(line)
        take_header(line)
        return
    }
    if (in_header) {
        in_header = 0
        if (meaning == "")
            refuse("first line does not say what this means; begin with \"-- meaning\"")
    }
    if (state == "" && (line ~ /^ *-- (param \$|setting [^ ]+ [^ ]+$|on source$|as [^ ]+\.sql,)/ ||
                        line ~ /^ *-- (works-from|phase):/))
        refuse("declaration below the SQL; move it to the comment lines at the top")
    check_characters(line)
    escaped = scan(line)
    body = body "        \"" escaped "\\n\"\n"
}

function check_characters(line,    i)
{
    for (i = 1; i <= length(line); i++)
        if (!index(printable, substr(line, i, 1))) {
            refuse("column " i " is a tab or no printable ASCII; use spaces and U&'' escapes")
            return
        }
}

# ---- header lines ----

function take_header(line,    words, n)
{
    n = split(line, words, " ")
    if (line ~ /^-- SPDX-License-Identifier:/)
        return
    if (meaning == "") {
        meaning = line
        if (n < 2 || words[2] == "param" || words[2] == "setting" || line ~ /^-- on source$/ ||
            words[2] == "works-from:" || words[2] == "phase:" || is_as(words))
            refuse("first line does not say what this means; begin with \"-- meaning\"")
        if (words[1] != "--")
            refuse("no space after \"--\"; write \"-- meaning\"")
    }
    if (words[2] == "param")
        take_param(line, words, n)
    else if (words[2] == "setting")
        take_setting(words, n)
    else if (words[2] == "on" && words[3] == "source" && n == 3 && !is_schema)
        on_source = 1
    else if (is_as(words))
        take_as(line, words)
    else if (words[2] ~ /^(works-from|phase):/)
        take_schema_note(line, words, n)
    else if (words[2] ~ /^(params?|settings?|works[-_]from|phase|on-source):?$/ ||
             (words[2] == "on" && words[3] ~ /^source[^a-z]*$/))
        refuse("not a known declaration; see common/io/sql.h for their forms")
}

function take_param(line, words, n)
{
    if (n != 5 || words[3] !~ /^\$[1-9][0-9]*$/) {
        refuse("parameter is not declared as \"-- param $1 name type\"; write it so")
        return
    }
    if (is_schema)
        refuse("schema file declares a parameter; schema files take none")
    if (substr(words[3], 2) + 0 != param_count + 1)
        refuse("parameter " words[3] " where $" (param_count + 1) \
               " is due; declare them in order, without gaps")
    add_param(words[4], words[5], "param")
}

function take_setting(words, n)
{
    if (n != 4) {
        refuse("setting is not declared as \"-- setting name type\"; write it so")
        return
    }
    if (is_schema)
        refuse("schema file declares a setting; schema files take none")
    add_param(words[3], words[4], "setting")
}

function add_param(name, type, kind,    i)
{
    if (name !~ /^[a-z][a-z0-9_]*$/)
        refuse(kind " name \"" name "\" is not [a-z][a-z0-9_]*; rename it")
    if (!(type in known_type))
        refuse("unknown type \"" type "\"; common/io/sql.h lists those there are")
    for (i = 1; i <= param_count; i++)
        if (param_name[i] == name)
            refuse(kind " \"" name "\" is declared twice; give each a name of its own")
    param_count++
    param_name[param_count] = name
    param_type[param_count] = type
    param_kind[param_count] = kind
    param_line[param_count] = FNR
}

function take_schema_note(line, words, n)
{
    if (!is_schema)
        refuse(words[2] " in a statement; it belongs to schema files")
    else if (words[2] == "works-from:" && n == 3 && words[3] ~ /^[1-9][0-9]*$/)
        works_from = words[3] + 0
    else if (words[2] == "phase:" && n == 3 && words[3] == "slow")
        is_slow = 1
    else
        refuse("not \"-- works-from: N\" or \"-- phase: slow\"; write it so")
    if (is_schema && works_from > substr(stem, 1, 4) + 0)
        refuse("works-from is above the file's own number; no binary could work with it")
}

# ---- a statement that is said as another ----

function is_as(words)
{
    return !is_schema && words[2] == "as" && words[3] ~ /\.sql,?$/
}

function take_as(line, words,    path, renamed, is_renamed, status)
{
    if (in_base) {
        refuse(base " is itself said as another; say this as that one")
        return
    }
    base = words[3]
    sub(/,$/, "", base)
    if (line !~ /^-- as [a-z][a-z0-9_]*\.sql, with [a-z][a-z0-9_]* for [a-z][a-z0-9_]*$/) {
        refuse("not \"-- as BASE.sql, with NEW for OLD\"; write it so")
        return
    }
    if (param_count > 0 || on_source)
        refuse("declaration above \"-- as\"; remove it, those of " base " hold")
    path = substr(file, 1, length(file) - length(stem ".sql")) base
    in_base = 1
    is_renamed = 0
    while ((status = (getline line < path)) > 0) {
        renamed = rename(line, words[7], words[5])
        take_line(renamed)
        if (!in_header && renamed != line)
            is_renamed = 1
    }
    close(path)
    in_base = 0
    if (status < 0)
        refuse(base " is not in this folder; name a statement that is")
    else if (!in_header && !is_renamed)
        refuse("\"" words[7] "\" does not occur in the SQL of " base "; name a word that does")
}

function rename(line, old, new,    done, rest)
{
    done = ""
    rest = " " line " "
    while (match(rest, "[^A-Za-z0-9]" old "[^A-Za-z0-9]")) {
        done = done substr(rest, 1, RSTART) new
        rest = substr(rest, RSTART + RLENGTH - 1)
    }
    done = done rest
    return substr(done, 2, length(done) - 2)
}

# ---- the SQL: one pass that knows quotes and comments ----

# Returns the line as the inside of a C string, and keeps state, pending and the like.
function scan(line,    i, n, c, escaped)
{
    n = length(line)
    escaped = ""
    for (i = 1; i <= n; i++) {
        c = substr(line, i, 1)
        # Two "?" could begin a trigraph.
        escaped = escaped (c == "\\" || c == "\"" || c == "?" ? "\\" c : c)
    }
    for (i = 1; i <= n; i++) {
        c = substr(line, i, 1)
        if (state != "")
            i = scan_quoted(line, i, c)
        else if (c == " ")
            code = code c
        else if (substr(line, i, 2) == "--")
            break
        else
            i = scan_plain(substr(line, i), i, c)
    }
    code = code "\n"
    return escaped
}

# What stands outside of quotes and comments at the start of rest, which is at index i of its
# line; returns the index of the last character taken.
function scan_plain(rest, i, c)
{
    if (match(rest, /^[A-Za-z0-9_][A-Za-z0-9_$]*/)) {
        c = RLENGTH
        take_word(substr(rest, 1, c))
        if (toupper(substr(rest, 1, 2)) == "E'") {
            open_state("E")
            code = code "'"
            c++
        }
        return i + c - 1
    }
    if (substr(rest, 1, 2) == "/*") {
        open_state("*")
        depth = 1
        return i + 1
    }
    if (c == ";") {
        take_semicolon()
        return i
    }
    take_token(c)
    if (c == "'" || c == "\"")
        open_state(c)
    else if (c == "$" && match(rest, /^\$[1-9][0-9]*/)) {
        take_use(substr(rest, 2, RLENGTH - 1) + 0)
        return i + RLENGTH - 1
    } else if (c == "$" && match(rest, /^\$([A-Za-z_][A-Za-z0-9_]*)?\$/)) {
        open_state("$")
        tag = substr(rest, 1, RLENGTH)
        return i + RLENGTH - 1
    }
    return i
}

# A character inside of a quote or a block comment; returns the index of the last one taken.
function scan_quoted(line, i, c,    two)
{
    two = substr(line, i, 2)
    if (state == "*") {
        if (two == "/*")
            depth++
        else if (two == "*/")
            depth--
        else
            return i
        if (depth == 0)
            state = ""
        return i + 1
    }
    code = code c
    if (state == "$") {
        if (substr(line, i, length(tag)) != tag)
            return i
        state = ""
        return i + length(tag) - 1
    }
    if (state == "E" && c == "\\")
        return i + 1
    if (c == (state == "E" ? "'" : state)) {
        if (substr(line, i + 1, 1) == c)
            return i + 1
        state = ""
    }
    return i
}

function open_state(new)
{
    state = new
    opened = FNR
}

function take_token(text)
{
    if (!pending && statements > 0 && !is_schema)
        refuse("second statement; give it a file of its own")
    pending = 1
    code = code text
}

function take_word(word)
{
    if (!pending) {
        first_word = toupper(word)
        if (first_word == "COPY" && statements == 0)
            is_copy = 1
        if (first_word ~ /^(BEGIN|START|COMMIT|END|ROLLBACK|ABORT)$/)
            refuse("transaction control; the caller's transaction holds this")
    }
    take_token(word)
}

function take_semicolon()
{
    if (!pending)
        refuse("empty statement; remove the semicolon")
    statements++
    pending = 0
    code = code ";"
}

function take_use(number)
{
    if (is_schema)
        refuse("schema file uses $" number "; schema files take no parameters")
    else if (!(number in param_used))
        param_used[number] = FNR
}

# ---- what can be judged at the end of a file ----

function end_file()
{
    if (in_header) {
        if (base == "")
            refuse_at(file, last_line, "no statement; a .sql file holds one")
    } else if (state != "")
        refuse_at(file, opened, "quote or comment that begins here has no end; close it")
    else if (pending || statements == 0)
        refuse_at(file, last_line, "no semicolon at the end; add it")
    if (is_schema) {
        end_schema()
        return
    }
    check_params()
    sql_count++
    sql_stem[sql_count] = stem
    sql_body[sql_count] = body
    sql_is_copy[sql_count] = is_copy
    sql_on_source[sql_count] = on_source
    sql_params[sql_count] = param_count
    for (i = 1; i <= param_count; i++)
        sql_param[sql_count, i] = "    {\"" param_name[i] "\", \"" param_type[i] "\"},\n"
}

function check_params(    i, number, rest, name)
{
    for (number in param_used)
        if (is_copy)
            refuse_at(file, param_used[number], "COPY takes no parameters; declare \"-- setting" \
                      " name type\" and read current_setting('factline.name')")
        else if (number + 0 > param_count)
            refuse_at(file, param_used[number], "$" number " is not declared; add \"-- param $" \
                      number " name type\"")
    rest = code
    while (match(rest, /current_setting\( *'factline\.[A-Za-z0-9_]*'/)) {
        name = substr(rest, RSTART, RLENGTH - 1)
        sub(/^.*factline\./, "", name)
        setting_read[name] = 1
        rest = substr(rest, RSTART + RLENGTH)
    }
    for (i = 1; i <= param_count; i++) {
        if ((param_kind[i] == "setting") != is_copy)
            refuse_at(file, param_line[i], is_copy ? \
                      "COPY takes no parameters; declare \"-- setting name type\"" : \
                      "setting of a statement that is no COPY; declare \"-- param $1 name type\"")
        else if (!is_copy && !(i in param_used))
            refuse_at(file, param_line[i], "$" i " is not used; remove its declaration")
        else if (is_copy && !(param_name[i] in setting_read))
            refuse_at(file, param_line[i], "setting is not read; use current_setting('factline." \
                      param_name[i] "') or remove its declaration")
        delete setting_read[param_name[i]]
    }
    for (name in setting_read)
        refuse_at(file, last_line, "setting \"" name "\" is read and not declared; add " \
                  (is_copy ? "\"-- setting " name " type\"" : "a parameter instead"))
}

function end_schema()
{
    if (schema_count > 0 && schema_number[schema_count] >= substr(stem, 1, 4) + 0)
        refuse_at(file, 1, "schema number " substr(stem, 1, 4) \
                  " is not above the one before; give it a number of its own")
    schema_count++
    schema_number[schema_count] = substr(stem, 1, 4) + 0
    schema_name[schema_count] = stem
    schema_body[schema_count] = body
    schema_works_from[schema_count] = works_from
    schema_is_slow[schema_count] = is_slow
}

# ---- what is written ----

function banner(path, about)
{
    printf "/* SPDX-License-Identifier: MIT\n *\n * %s Made by sqlgen.awk.\n */\n", about > path
}

function write_header(    path, guard, i)
{
    path = out "/" folder "_sql.h"
    guard = "GEN_" toupper(folder) "_SQL_H"
    banner(path, "The declared statements and the schema of " folder ".")
    printf "#ifndef %s\n#define %s\n\n#include \"io/sql.h\"\n\n", guard, guard > path
    for (i = 1; i <= sql_count; i++)
        printf "extern const struct sql sql_%s_%s;\n", folder, sql_stem[i] > path
    printf "\n/* In order of number; ends with NULL. */\n" > path
    printf "extern const struct sql_schema *const %s_schema[];\n\n#endif\n", folder > path
    close(path)
}

function write_source(    path, i)
{
    path = out "/" folder "_sql.c"
    banner(path, "The declared statements and the schema of " folder ".")
    printf "#include \"%s_sql.h\"\n\n", folder > path
    print "/* C promises 4095 characters of a string; gcc and clang take any number. */" > path
    print "#pragma GCC diagnostic ignored \"-Woverlength-strings\"" > path
    for (i = 1; i <= sql_count; i++)
        write_sql(path, i)
    for (i = 1; i <= schema_count; i++) {
        printf "\nstatic const struct sql_schema schema_%s = {\n", schema_name[i] > path
        printf "    .number = %d,\n    .name = \"%s\",\n", schema_number[i], schema_name[i] > path
        printf "    .text =\n%s    ,\n", schema_body[i] > path
        printf "    .works_from = %d,\n", schema_works_from[i] > path
        printf "    .is_slow = %s,\n};\n", (schema_is_slow[i] ? "true" : "false") > path
    }
    printf "\nconst struct sql_schema *const %s_schema[] = {\n", folder > path
    for (i = 1; i <= schema_count; i++)
        printf "    &schema_%s,\n", schema_name[i] > path
    print "    NULL,\n};" > path
    close(path)
}

function write_sql(path, number,    i)
{
    if (sql_params[number] > 0) {
        printf "\nstatic const struct sql_param params_%s[] = {\n", sql_stem[number] > path
        for (i = 1; i <= sql_params[number]; i++)
            printf "%s", sql_param[number, i] > path
        print "};" > path
    }
    printf "\nconst struct sql sql_%s_%s = {\n", folder, sql_stem[number] > path
    printf "    .name = \"%s\",\n", sql_stem[number] > path
    printf "    .text =\n%s    ,\n", sql_body[number] > path
    if (sql_params[number] > 0)
        printf "    .params = params_%s,\n", sql_stem[number] > path
    printf "    .param_count = %d,\n", sql_params[number] > path
    printf "    .is_copy = %s,\n", (sql_is_copy[number] ? "true" : "false") > path
    printf "    .on_source = %s,\n};\n", (sql_on_source[number] ? "true" : "false") > path
}

# The folder of common/etl/sql/x.sql is etl, that of common/pipelines/commcare/sql/x.sql commcare.
function write_all(    path, i, n, parts, names, folders, part)
{
    path = out "/sql_all.c"
    banner(path, "All declared statements.")
    print "#include \"io/sql.h\"\n" > path
    names = ""
    split("", folders)
    for (i = 1; i < ARGC; i++) {
        n = split(ARGV[i], parts, "/")
        if (ARGV[i] !~ /\.sql$/ || n < 3 || parts[n - 1] != "sql")
            continue
        part = parts[n - 2]
        sub(/\.sql$/, "", parts[n])
        if (!(part in folders))
            printf "#include \"%s_sql.h\"\n", part > path
        folders[part] = 1
        names = names "    &sql_" part "_" parts[n] ",\n"
    }
    printf "\nconst struct sql *const sql_all[] = {\n%s    NULL,\n};\n", names > path
    close(path)
}

function write_pipelines(    path, i)
{
    path = out "/pipeline_list.h"
    banner(path, "The pipelines built in.")
    print "#ifndef GEN_PIPELINE_LIST_H\n#define GEN_PIPELINE_LIST_H\n" > path
    print "#include \"etl/pipeline.h\"\n" > path
    for (i = 1; i < ARGC; i++)
        if (ARGV[i] ~ /^[a-z][a-z0-9_]*$/)
            printf "extern const struct pipeline %s_pipeline;\n", ARGV[i] > path
    print "\n/* In order of name; ends with NULL. */" > path
    print "extern const struct pipeline *const pipeline_list[];\n\n#endif" > path
    close(path)
    path = out "/pipeline_list.c"
    banner(path, "The pipelines built in.")
    print "#include \"pipeline_list.h\"\n" > path
    print "const struct pipeline *const pipeline_list[] = {" > path
    for (i = 1; i < ARGC; i++)
        if (ARGV[i] ~ /^[a-z][a-z0-9_]*$/)
            printf "    &%s_pipeline,\n", ARGV[i] > path
    print "    NULL,\n};" > path
    close(path)
}
