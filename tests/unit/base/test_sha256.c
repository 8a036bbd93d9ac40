/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sha256.h"

static void assert_digest(const char *bytes, size_t length, size_t piece, const char *expected)
{
    struct sha256 sha;
    char hex[SHA256_HEX + 1];

    sha256_init(&sha);
    for (size_t at = 0; at < length; at += piece)
        sha256_add(&sha, bytes + at, length - at < piece ? length - at : piece);
    sha256_end(&sha, hex);
    assert_string_equal(hex, expected);
}

/* The examples of FIPS 180-4. */
static void digests_are_those_of_the_standard(void **state)
{
    (void)state;
    assert_digest("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest("abc", 3, 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 56,
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void pieces_make_no_difference(void **state)
{
    static char text[1000];
    static const char *const expected =
        "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3";

    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t piece = 1; piece <= sizeof text; piece++)
        assert_digest(text, sizeof text, piece, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standard),
        cmocka_unit_test(pieces_make_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
