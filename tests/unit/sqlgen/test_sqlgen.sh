#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# sqlgen.awk: what it embeds arrives in C byte for byte, and what it must refuse it refuses, with
# file and line, under every awk of this machine.
. "$(dirname "$0")/../../lib/common.sh"

SQLGEN=$ROOT/common/pipelines/sqlgen.awk
count=0
failures=0

# ok SENTENCE STATUS: one line of TAP.
ok()
{
    count=$((count + 1))
    if [ "$2" = 0 ]; then
        echo "ok $count - $1 ($awk)"
    else
        failures=$((failures + 1))
        echo "not ok $count - $1 ($awk)"
    fi
}

# statement NAME LINE...: a fresh folder "etl" with this one statement; schema likewise.
statement()
{
    rm -rf "$WORK/etl" "$WORK/out"
    mkdir -p "$WORK/etl/sql" "$WORK/etl/schema" "$WORK/out"
    printf '%s\n' "${@:2}" >"$WORK/etl/sql/$1.sql"
}

schema()
{
    statement one '-- One.' 'SELECT 1;'
    printf '%s\n' "${@:2}" >"$WORK/etl/schema/$1.sql"
}

generate()
{
    (cd "$WORK" && $awk -v mode=folder -v folder=etl -v out=out -f "$SQLGEN" etl/*/*.sql) \
        >"$WORK/stdout" 2>"$WORK/stderr" </dev/null
}

# accepts SENTENCE
accepts()
{
    local status=0
    generate || status=$?
    sed 's/^/# /' "$WORK/stderr"
    ok "$1" "$status"
}

# refuses SENTENCE PLACE WORDS: place is FILE:LINE below etl/.
refuses()
{
    local status=0
    if generate; then
        status=1
    elif ! grep -qF "etl/$2: " "$WORK/stderr" || ! grep -qF -- "$3" "$WORK/stderr"; then
        sed 's/^/# /' "$WORK/stderr"
        status=1
    elif [ -e "$WORK/out/etl_sql.c" ]; then
        echo "# wrote its output nevertheless"
        status=1
    fi
    ok "refuses $1" "$status"
}

# Compiles what was generated and compares the text of sql_etl_one with what is expected.
arrives()
{
    local status=0
    cat >"$WORK/print.c" <<'C'
#include <stdio.h>
#include "etl_sql.h"
int main(void)
{
    fputs(sql_etl_one.text, stdout);
    for (size_t i = 0; i < sql_etl_one.param_count; i++)
        printf("[%s %s]", sql_etl_one.params[i].name, sql_etl_one.params[i].type);
    printf("[%s%s%s]\n", sql_etl_one.name, sql_etl_one.is_copy ? " copy" : "",
           sql_etl_one.on_source ? " source" : "");
    for (int i = 0; etl_schema[i]; i++)
        printf("[%d %s %d%s] %s", etl_schema[i]->number, etl_schema[i]->name,
               etl_schema[i]->works_from, etl_schema[i]->is_slow ? " slow" : "",
               etl_schema[i]->text);
    return 0;
}
C
    { generate && ${CC:-gcc} -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$ROOT/common" \
        -I"$WORK/out" -o "$WORK/print" "$WORK/print.c" "$WORK/out/etl_sql.c" &&
        "$WORK/print" >"$WORK/seen" && diff "$WORK/expected" "$WORK/seen"; } || status=$?
    ok "$1" "$status"
}

# shellcheck disable=SC2016 # the dollars are SQL's
text_arrives()
{
    statement one '-- SPDX-License-Identifier: MIT' '-- Says "what", and costs $9.' \
        '-- More of it; with -- marks.' '-- param $1 batch_id bigint' '-- param $2 names text[]'
    cat >"$WORK/body" <<'SQL'
WITH a AS (SELECT $1 AS x, ';' AS y, E'it\'s; $7' AS z, "a;""b" AS q, $$ ; $3 $$ AS d)  -- ; $4

/* ; /* $5 */ ; ' */
SELECT '{"a": 1}'::jsonb ?? 'x', a$3, 'a\b', '??=', U&'\00e9', $tag$ $$; $tag$, 'two
lines; of $8' FROM a WHERE x = ANY ($2::text[]) AND y <> 'it''s; ';
-- the end; of $9
SQL
    cat "$WORK/body" >>"$WORK/etl/sql/one.sql"
    { cat "$WORK/body" && echo '[batch_id bigint][names text[]][one]'; } >"$WORK/expected"
    arrives "quotes, comments and backslashes arrive as they are written"

    statement one '-- Copies.' '-- setting since timestamptz' '-- on source' \
        "COPY (SELECT current_setting('factline.since')) TO STDOUT;"
    printf '%s\n' "COPY (SELECT current_setting('factline.since')) TO STDOUT;" \
        '[since timestamptz][one copy source]' >"$WORK/expected"
    arrives "a COPY has settings and may run on the source"

    schema 0001_first '-- First.' 'CREATE SCHEMA a;' 'DO $$ BEGIN PERFORM 1; END $$;'
    printf '%s\n' '-- Second.' '-- works-from: 2' '-- phase: slow' 'CREATE INDEX ON a.b (c);' \
        >"$WORK/etl/schema/0002_second.sql"
    printf '%s\n' 'SELECT 1;' '[one]' '[1 0001_first 1] CREATE SCHEMA a;' \
        'DO $$ BEGIN PERFORM 1; END $$;' '[2 0002_second 2 slow] CREATE INDEX ON a.b (c);' \
        >"$WORK/expected"
    arrives "schema files keep their order, number and notes"

    statement one '-- Long.'
    { for i in $(seq 1000); do echo "SELECT $i AS a_rather_long_name_of_a_column UNION ALL"; done &&
        echo 'SELECT 0;'; } | tee -a "$WORK/etl/sql/one.sql" >"$WORK/expected"
    echo '[one]' >>"$WORK/expected"
    arrives "a statement far beyond 4095 characters compiles without a warning"
}

# shellcheck disable=SC2016
statements_refused()
{
    statement one '-- One.' 'SELECT 1;' 'SELECT 2;'
    refuses "a second statement" sql/one.sql:3 "second statement"
    statement one '-- One.' 'SELECT 1; SELECT 2'
    refuses "a second statement on the same line" sql/one.sql:2 "second statement"
    statement one '-- One.' 'SELECT 1;;'
    refuses "an empty statement" sql/one.sql:2 "empty statement"
    statement one '-- One.' 'SELECT 1'
    refuses "a missing semicolon" sql/one.sql:2 "no semicolon"
    statement one '-- One.' 'SELECT 1 -- ;'
    refuses "a semicolon in a comment only" sql/one.sql:2 "no semicolon"
    statement one '-- One.' "SELECT ';"
    refuses "a quote without end" sql/one.sql:2 "has no end"
    statement one '-- One.' 'SELECT 1' '/* ;'
    refuses "a comment without end" sql/one.sql:3 "has no end"
    statement one '-- One.' 'SELECT $a$ ; $b$;'
    refuses "a dollar quote without end" sql/one.sql:2 "has no end"
    statement one 'SELECT 1;'
    refuses "a missing first line" sql/one.sql:1 "what this means"
    statement one '-- param $1 a text' 'SELECT $1;'
    refuses "a declaration in place of the first line" sql/one.sql:1 "what this means"
    statement one '--' 'SELECT 1;'
    refuses "an empty first line" sql/one.sql:1 "what this means"
    statement one '--One thing.' 'SELECT 1;'
    refuses "a first line without its blank" sql/one.sql:1 "no space"
    statement one '-- One.'
    refuses "a file without statement" sql/one.sql:1 "no statement"
    : >"$WORK/etl/sql/one.sql"
    refuses "an empty file" sql/one.sql:1 "empty"
    statement one '-- One.' "$(printf 'SELECT\t1;')"
    refuses "a tab" sql/one.sql:2 "column 7"
    statement one '-- One.' "SELECT 'é';"
    refuses "what is not ASCII" sql/one.sql:2 "column 9"
    statement one '-- Oné.' 'SELECT 1;'
    refuses "what is not ASCII in a comment" sql/one.sql:1 "column 6"
    statement one '-- One.' "$(printf 'SELECT 1;\r')"
    refuses "a carriage return" sql/one.sql:2 "column 10"
    statement one-two '-- One.' 'SELECT 1;'
    refuses "a name that is none in C" sql/one-two.sql:1 "rename"
    statement one '-- One.' 'COMMIT;'
    refuses "transaction control" sql/one.sql:2 "transaction"
}

# shellcheck disable=SC2016
params_refused()
{
    statement one '-- One.' '-- param $1 a text' '-- param $3 b text' 'SELECT $1, $3;'
    refuses "a gap in the parameters" sql/one.sql:3 '$2 is due'
    statement one '-- One.' '-- param $2 a text' '-- param $1 b text' 'SELECT $1, $2;'
    refuses "parameters in disorder" sql/one.sql:2 '$1 is due'
    statement one '-- One.' '-- param $1 a text' 'SELECT $1, $2;'
    refuses "a parameter that is not declared" sql/one.sql:3 '$2 is not declared'
    statement one '-- One.' '-- param $1 a text' "SELECT '\$1'; -- \$1"
    refuses "a parameter that is used in a quote only" sql/one.sql:2 '$1 is not used'
    statement one '-- One.' '-- param $1 a varchar' 'SELECT $1;'
    refuses "an unknown type" sql/one.sql:2 'unknown type "varchar"'
    statement one '-- One.' '-- param $1 a text' '-- param $2 a text' 'SELECT $1, $2;'
    refuses "a name declared twice" sql/one.sql:3 'declared twice'
    statement one '-- One.' '-- param $1 A text' 'SELECT $1;'
    refuses "a name in capitals" sql/one.sql:2 'rename'
    statement one '-- One.' '-- param 1 a text' 'SELECT $1;'
    refuses "a parameter without its dollar" sql/one.sql:2 'write it so'
    statement one '-- One.' '-- params $1 a text' 'SELECT $1;'
    refuses "a declaration that is misspelt" sql/one.sql:2 'not a known declaration'
    statement one '-- One.' '-- on source.' 'SELECT 1;'
    refuses "a note that is misspelt" sql/one.sql:2 'not a known declaration'
    statement one '-- One.' 'SELECT $1' '-- param $1 a text' ';'
    refuses "a declaration below the SQL" sql/one.sql:3 'to the comment lines at the top'
    statement one '-- One.' '-- phase: slow' 'SELECT 1;'
    refuses "a note of schema files in a statement" sql/one.sql:2 'schema files'

    statement one '-- One.' '-- param $1 a text' 'COPY (SELECT $1) TO STDOUT;'
    refuses "a parameter of COPY" sql/one.sql:2 'COPY takes no parameters'
    statement one '-- One.' 'copy (SELECT $1) TO STDOUT;'
    refuses "a parameter used in COPY" sql/one.sql:2 'COPY takes no parameters'
    statement one '-- One.' '-- setting a text' 'COPY (SELECT 1) TO STDOUT;'
    refuses "a setting that is not read" sql/one.sql:2 'not read'
    statement one '-- One.' '-- setting a text' \
        "COPY (SELECT 1 /* current_setting('factline.a') */) TO STDOUT;"
    refuses "a setting that is read in a comment only" sql/one.sql:2 'not read'
    statement one '-- One.' "COPY (SELECT current_setting('factline.a')) TO STDOUT;"
    refuses "a setting that is not declared" sql/one.sql:2 'not declared'
    statement one '-- One.' '-- setting a text' "SELECT current_setting('factline.a');"
    refuses "a setting of what is no COPY" sql/one.sql:2 'no COPY'
    statement one '-- One.' '-- setting a' "COPY (SELECT current_setting('factline.a')) TO STDOUT;"
    refuses "a setting without type" sql/one.sql:2 'write it so'
}

# said LINE...: beside the statement "base" of group_id, one that is said as another by these lines.
said()
{
    statement base '-- The group.' '-- param $1 group_id bigint' 'SELECT group_id' \
        '  FROM a.group WHERE group_id = $1;'
    printf '%s\n' '-- Said as another.' "$@" >"$WORK/etl/sql/one.sql"
}

# shellcheck disable=SC2016
twins_arrive()
{
    statement zebra '-- Counts each zebra.' '-- param $1 zebra_id bigint' '-- param $2 zebras text'
    cat >>"$WORK/etl/sql/zebra.sql" <<'SQL'
SELECT a_zebra_1, zebras, "zebra", E'\'zebra \\zebra &' -- zebra,zebra zebra
  FROM zebra.zebra WHERE zebra2 = $2 AND $1 =
zebra;
SQL
    printf '%s\n' '-- SPDX-License-Identifier: MIT' '-- Counts each ant.' '-- There are many.' \
        '-- as zebra.sql, with ant_b for zebra' >"$WORK/etl/sql/one.sql"
    cat >"$WORK/expected" <<'SQL'
SELECT a_ant_b_1, zebras, "ant_b", E'\'ant_b \\ant_b &' -- ant_b,ant_b ant_b
  FROM ant_b.ant_b WHERE zebra2 = $2 AND $1 =
ant_b;
[ant_b_id bigint][zebras text][one]
SQL
    arrives "a statement said as another is that one, its word renamed in names and parameters"

    statement base '-- Copies ants.' '-- on source' '-- setting ant_since text' \
        "COPY (SELECT current_setting('factline.ant_since')) TO STDOUT;"
    printf '%s\n' '-- Copies bees.' '-- as base.sql, with bee for ant' >"$WORK/etl/sql/one.sql"
    printf '%s\n' "COPY (SELECT current_setting('factline.bee_since')) TO STDOUT;" \
        '[bee_since text][one copy source]' >"$WORK/expected"
    arrives "a COPY said as another has its settings and runs where that one does"

    statement one '-- One.' '-- as a file has it, so it is.' 'SELECT 1;'
    accepts "prose that begins with as"
}

# shellcheck disable=SC2016
twins_refused()
{
    said '-- as other.sql, with user for group'
    refuses "what is said as a statement that is missing" sql/one.sql:2 "not in this folder"
    said '-- as two.sql, with user for group'
    printf '%s\n' '-- Two.' '-- as base.sql, with place for group' >"$WORK/etl/sql/two.sql"
    refuses "what is said as one that is said as another" sql/one.sql:2 "itself said as another"
    said '-- as one.sql, with user for group'
    refuses "what is said as itself" sql/one.sql:2 "itself said as another"
    said '-- as base.sql, with user for roup'
    refuses "a word that does not occur" sql/one.sql:2 "does not occur"
    said '-- as base.sql, with user for The'
    refuses "a word that is none of a name" sql/one.sql:2 "write it so"
    said '-- as base.sql, with user for each'
    sed -i 's/The/each/' "$WORK/etl/sql/base.sql"
    refuses "a word that occurs in the meaning only" sql/one.sql:2 "does not occur"
    said '-- as base.sql, with user for group' ''
    refuses "an empty line below" sql/one.sql:3 "remove it"
    said '-- as base.sql, with user for group' 'SELECT 1;'
    refuses "a statement below" sql/one.sql:3 "remove it"
    said '-- as base.sql, with user for group' '-- as base.sql, with place for group'
    refuses "a second one to be said as" sql/one.sql:3 "remove it"
    said '-- on source' '-- as base.sql, with user for group'
    refuses "a declaration above" sql/one.sql:3 "declaration above"
    said 'SELECT 1' '-- as base.sql, with user for group' ';'
    refuses "one to be said as below the SQL" sql/one.sql:3 "to the comment lines at the top"
    said '-- as base.sql with user for group'
    refuses "a comma that is missing" sql/one.sql:2 "write it so"
    said '-- as base.sql, with user for group.'
    refuses "a full stop" sql/one.sql:2 "write it so"
    said '-- as ../sql/base.sql, with user for group'
    refuses "a statement of another folder" sql/one.sql:2 "write it so"
    statement one '-- as base.sql, with user for group'
    refuses "what is said as another without a meaning" sql/one.sql:1 "what this means"
    said '-- as base.sql, with user for group'
    sed -i '2s/.*/&\n-- param $2 user_id text/; s/= \$1/IN ($1, $2)/' "$WORK/etl/sql/base.sql"
    refuses "a name that becomes another's" sql/one.sql:2 "declared twice"
    schema 0001_first '-- First.' '-- as 0000_none.sql, with a for b'
    refuses "a schema file that is said as another" schema/0001_first.sql:2 "no statement"
}

# shellcheck disable=SC2016
schemas_refused()
{
    schema 1_first '-- First.' 'CREATE SCHEMA a;'
    refuses "a schema file without number" schema/1_first.sql:1 "NNNN_what"
    schema 0001_first '-- First.' 'CREATE SCHEMA a'
    refuses "a schema file without its last semicolon" schema/0001_first.sql:2 "no semicolon"
    schema 0001_first '-- First.' '-- works-from: 2' 'CREATE SCHEMA a;'
    refuses "a works-from above its own number" schema/0001_first.sql:2 "above"
    schema 0001_first '-- First.' '-- works-from: x' 'CREATE SCHEMA a;'
    refuses "a works-from that is no number" schema/0001_first.sql:2 "write it so"
    schema 0001_first '-- First.' '-- phase: fast' 'CREATE SCHEMA a;'
    refuses "an unknown phase" schema/0001_first.sql:2 "write it so"
    schema 0001_first '-- First.' '-- param $1 a text' 'CREATE SCHEMA a;'
    refuses "a parameter of a schema file" schema/0001_first.sql:2 "take none"
    schema 0001_first '-- First.' '-- setting a text' 'CREATE SCHEMA a;'
    refuses "a setting of a schema file" schema/0001_first.sql:2 "take none"
    schema 0001_first '-- First.' 'SELECT $1;'
    refuses "a parameter used in a schema file" schema/0001_first.sql:2 "take no parameters"
    schema 0001_first '-- First.' 'BEGIN;' 'CREATE SCHEMA a;' 'COMMIT;'
    refuses "a transaction of a schema file's own" schema/0001_first.sql:4 "transaction"
    schema 0001_first '-- First.' 'CREATE SCHEMA a;'
    cp "$WORK/etl/schema/0001_first.sql" "$WORK/etl/schema/0001_second.sql"
    refuses "a number twice" schema/0001_second.sql:1 "number of its own"
}

lists_are_written()
{
    local status=0
    rm -rf "$WORK/out" && mkdir "$WORK/out"
    # shellcheck disable=SC2086 # an awk may have arguments
    $awk -v mode=all -v out="$WORK/out" -f "$SQLGEN" common/etl/sql/b.sql \
        common/etl/schema/0001_x.sql common/pipelines/p/sql/a.sql </dev/null &&
        $awk -v mode=pipelines -v out="$WORK/out" -f "$SQLGEN" p q </dev/null || status=1
    grep -q '&sql_etl_b,' "$WORK/out/sql_all.c" && grep -q '&sql_p_a,' "$WORK/out/sql_all.c" &&
        grep -q '"p_sql.h"' "$WORK/out/sql_all.c" && ! grep -q 0001 "$WORK/out/sql_all.c" ||
        status=1
    grep -q '&q_pipeline,' "$WORK/out/pipeline_list.c" || status=1
    ok "the lists name every statement and every pipeline" "$status"

    status=0
    $awk -v mode=all -v out="$WORK/out" -f "$SQLGEN" </dev/null &&
        ! grep -q '&' "$WORK/out/sql_all.c" || status=1
    ok "without any statement the list is empty" "$status"

    status=0
    ! $awk -v mode=nothing -f "$SQLGEN" </dev/null 2>"$WORK/stderr" &&
        grep -q 'mode=' "$WORK/stderr" || status=1
    ok "an unknown mode is refused" "$status"
}

for awk in mawk gawk "gawk --posix" "busybox awk" original-awk awk; do
    # shellcheck disable=SC2086
    $awk 'BEGIN { exit 0 }' </dev/null >/dev/null 2>&1 || continue
    text_arrives
    statement one '-- One.' '-- on the source we know nothing.' 'SELECT 1;'
    accepts "prose that begins like a declaration"
    statements_refused
    params_refused
    twins_arrive
    twins_refused
    schemas_refused
    lists_are_written
done
[ "$count" -gt 0 ] && [ "$failures" = 0 ]
