/* SPDX-License-Identifier: MIT
 *
 * A text with a grammar of its own, such as a key: what a field declares in place of a plain
 * text. The functions are mechanisms of etl/, each in a module of its own.
 */
#ifndef ETL_GRAMMAR_H
#define ETL_GRAMMAR_H

#include <stddef.h>

#include "base/str.h"

#define GRAMMAR_NOTES_MAX 8

struct grammar {
    /* Empties *canonical and sets it to the canonical form. within: the canonical text of the field
     * that this one lies in, empty where none is declared. NULL, or the reason of the reject, which
     * is static. *notes gets a bit for each note that the text deserves. */
    const char *(*read)(const char *text, size_t length, const char *within, size_t within_length,
                        struct str *canonical, unsigned *notes);
    const char *const
        *notes; /* what the bits are called in the log, lowest first; ends with NULL */
};

#endif
