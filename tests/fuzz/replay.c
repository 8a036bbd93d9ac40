/* SPDX-License-Identifier: MIT
 *
 * A fuzz target without a fuzzer: runs it on the inputs that are kept in
 * tests/fuzz/corpus/TARGET.txt, or on each of the files that are given, as they
 * are. A line of the corpus is one input; \n \r \t \\ and \xHH stand for bytes.
 */
#include <string.h>

#include "base/str.h"
#include "fuzz.h"

static int digit(char hex)
{
    return hex <= '9' ? hex - '0' : hex - 'a' + 10;
}

static void decode(const char *at, const char *end, struct str *to)
{
    static const char letters[] = "nrt\\", bytes[] = "\n\r\t\\";
    while (at < end) {
        const char *letter;
        if (*at != '\\') {
            str_add_char(to, *at++);
        } else if (end - at >= 4 && at[1] == 'x') {
            str_add_char(to, (char)(digit(at[2]) << 4 | digit(at[3])));
            at += 4;
        } else {
            letter = strchr(letters, at[1]);
            FUZZ_EXPECT(letter != NULL && *letter != '\0');
            str_add_char(to, bytes[letter - letters]);
            at += 2;
        }
    }
}

static void read_file(const char *path, struct str *to)
{
    char bytes[65536];
    size_t count;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s cannot be read; run this in the project's folder\n", path);
        exit(74);
    }
    while ((count = fread(bytes, 1, sizeof bytes, file)) > 0)
        str_add(to, bytes, count);
    fclose(file);
}

/* A copy of its own size, so that the sanitizer sees a byte too far. */
static void run(const struct str *input)
{
    uint8_t *data = malloc(input->length > 0 ? input->length : 1);
    FUZZ_EXPECT(data != NULL);
    memcpy(data, input->text, input->length);
    LLVMFuzzerTestOneInput(data, input->length);
    free(data);
}

static int run_corpus(const char *path)
{
    struct str corpus, input;
    int count = 0;
    str_init(&corpus);
    str_init(&input);
    read_file(path, &corpus);
    const char *end = corpus.text + corpus.length;
    for (const char *at = corpus.text; at < end; count++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        str_clear(&input);
        decode(at, newline, &input);
        run(&input);
        at = newline + 1;
    }
    str_release(&corpus);
    str_release(&input);
    return count;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    struct str text;
    int count = argc - 1;
    str_init(&text);
    for (int i = 1; i < argc; i++) {
        str_clear(&text);
        read_file(argv[i], &text);
        run(&text);
    }
    if (argc == 1) {
        name = name == NULL ? argv[0] : name + 1;
        str_add_format(&text, "tests/fuzz/corpus/%s.txt", name + strlen("fuzz_"));
        count = run_corpus(text.text);
    }
    str_release(&text);
    printf("%d inputs\n", count);
    return count > 0 ? 0 : 1;
}
