/* SPDX-License-Identifier: MIT
 *
 * The smallest parts of JSON: strings, numbers, words and what stands between
 * them. Only for io/json*: io/json.h is what others use.
 *
 * The checking functions move *at behind what they found. After a problem *at
 * means nothing. The passing ones walk over text that was checked before.
 */
#ifndef IO_JSON_TOKEN_H
#define IO_JSON_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "io/json.h"

/* The first byte from at on that is not white space, or end. */
static inline const char *json_token_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at;
}

/* Names what is wrong with the byte at, which was not expected: JSON_NUL_CHARACTER or
 * JSON_BAD_ENCODING where it is that, otherwise where it is a character; JSON_BAD at the end. */
enum json_problem json_token_refuse(const char *at, const char *end, enum json_problem otherwise);

/* A string whose opening quote is before *at. */
enum json_problem json_token_string(const char **at, const char *end, bool *has_escape);

/* A number; there is a byte at *at. Letters, digits, signs or dots right behind it are JSON_BAD. */
enum json_problem json_token_number(const char **at, const char *end);

/* One of true, false and null, which begins at *at. */
enum json_problem json_token_word(const char **at, const char *end, const char *word);

/* The byte behind the value that begins at at. */
const char *json_token_pass(const char *at, const char *end);

/* Adds the decoded text of a checked string (length bytes between its quotes) to *to. */
void json_token_decode(const char *text, size_t length, struct str *to);

#endif
