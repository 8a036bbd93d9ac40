/* SPDX-License-Identifier: MIT
 *
 * Where a source is: from a connection string or the SOURCE_PG* variables to
 * parameters and to a name for the ledger, without the warehouse's variables.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "io/db_private.h"

#define DEFAULT_PORT "5432"

extern char **environ;

/* ---- parameters ---- */

void db_params_set(struct db_params *params, const char *keyword, const char *value)
{
    size_t at = 0;
    while (at < params->count && strcmp(params->keywords[at], keyword) != 0)
        at++;
    if (at == DB_PARAMS_MAX)
        BUG("more than %d connection parameters", DB_PARAMS_MAX);
    if (at == params->count)
        params->keywords[params->count++] = mem_strdup(keyword);
    free(params->values[at]);
    params->values[at] = mem_strdup(value);
}

const char *db_params_get(const struct db_params *params, const char *keyword)
{
    for (size_t i = 0; i < params->count; i++) {
        if (strcmp(params->keywords[i], keyword) == 0)
            return params->values[i];
    }
    return NULL;
}

void db_params_release(struct db_params *params)
{
    for (size_t i = 0; i < params->count; i++) {
        free(params->keywords[i]);
        free(params->values[i]);
    }
    memset(params, 0, sizeof *params);
}

/* ---- hosts and ports ---- */

size_t db_count_hosts(const char *hosts)
{
    size_t count = 1;
    for (; *hosts; hosts++)
        count += *hosts == ',';
    return count;
}

bool db_is_port_list(const char *ports, size_t hosts)
{
    if (db_count_hosts(ports) != 1 && db_count_hosts(ports) != hosts)
        return false;
    for (const char *at = ports;; at++) {
        size_t digits = strspn(at, "0123456789");
        long port = digits > 0 && digits <= 5 ? strtol(at, NULL, 10) : 0;
        if (digits > 0 && (port < 1 || port > 65535))
            return false;
        at += digits; /* an empty one is the default */
        if (*at == '\0')
            return true;
        if (*at != ',')
            return false;
    }
}

/* ---- the spec ---- */

bool db_is_source_spec(const char *spec)
{
    return strchr(spec, '=') || strncmp(spec, "postgres://", 11) == 0 ||
           strncmp(spec, "postgresql://", 13) == 0;
}

/* A variable's text; an empty one is unset. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

static void add_variable(struct db_params *params, const char *keyword, const char *name)
{
    const char *value = variable(name);
    if (value && !db_params_get(params, keyword))
        db_params_set(params, keyword, value);
}

static bool read_spec(const char *spec, struct db_params *params, struct error *err)
{
    PQconninfoOption *options = PQconninfoParse(spec, NULL);
    /* Nothing is wrong with "": where libpq cannot read that either, it has no memory. */
    PQconninfoOption *nothing = PQconninfoParse("", NULL);
    enum status status = nothing ? STATUS_USAGE : STATUS_TEMPORARY;
    PQconninfoFree(nothing);
    if (!options)
        options = PQconninfoParse(spec, NULL);
    if (!options)
        return error_set(err, status,
                         "--source is no valid connection string; write \"host=... dbname=...\" or "
                         "postgresql://HOST/DATABASE");
    bool has_password = false;
    for (PQconninfoOption *option = options; option->keyword; option++) {
        if (!option->val)
            continue;
        if (strcmp(option->keyword, "password") == 0 || strcmp(option->keyword, "sslpassword") == 0)
            has_password = true;
        if (option->val[0] != '\0')
            db_params_set(params, option->keyword, option->val);
    }
    PQconninfoFree(options);
    if (has_password)
        return error_set(err, STATUS_USAGE,
                         "a password in --source is refused; use SOURCE_PGPASSWORD, the password "
                         "file or the service file");
    return true;
}

static bool read_variables(struct db_params *params, struct error *err)
{
    add_variable(params, "host", "SOURCE_PGHOST");
    add_variable(params, "port", "SOURCE_PGPORT");
    add_variable(params, "dbname", "SOURCE_PGDATABASE");
    add_variable(params, "service", "SOURCE_PGSERVICE");
    if (db_params_get(params, "host") || db_params_get(params, "service"))
        return true;
    return error_set(err, STATUS_USAGE,
                     "nothing names the source; pass --source or set SOURCE_PGHOST and "
                     "SOURCE_PGDATABASE, or SOURCE_PGSERVICE");
}

static const char *host_of(const struct db_params *params)
{
    const char *host = db_params_get(params, "host");
    return host ? host : db_params_get(params, "hostaddr");
}

/* Whether the parameters name one place, and in a way that may be shown. */
static bool check(const struct db_params *params, bool is_spec, struct error *err)
{
    const char *host = host_of(params);
    const char *port = db_params_get(params, "port");
    const char *database = db_params_get(params, "dbname");
    const char *service = db_params_get(params, "service");
    if (!host && !service)
        return error_set(err, STATUS_USAGE,
                         "--source names no host and no service; add host=... or service=...");
    if (!database && !service)
        return error_set(err, STATUS_USAGE, "the source's database is not named; %s",
                         is_spec ? "add dbname=... to --source" : "set SOURCE_PGDATABASE");
    if (port && !db_is_port_list(port, host ? db_count_hosts(host) : 1))
        return error_set(err, is_spec ? STATUS_USAGE : STATUS_CONFIG,
                         "the source's port is not valid; %s",
                         is_spec ? "write port=... from 1 to 65535, one or as many as hosts"
                                 : "set SOURCE_PGPORT to one from 1 to 65535");
    /* A string within the string could carry a password into the ledger. */
    if ((database && db_is_source_spec(database)) || (host && db_is_source_spec(host)) ||
        (service && db_is_source_spec(service)))
        return error_set(err, STATUS_USAGE,
                         "the source's host, database and service must be plain names; give a "
                         "connection string with --source alone");
    return true;
}

static void add_identity(const struct db_params *params, struct str *identity)
{
    const char *host = host_of(params);
    const char *port = db_params_get(params, "port");
    const char *database = db_params_get(params, "dbname");
    const char *service = db_params_get(params, "service");
    if (!service) {
        str_add_format(identity, "%s:%s/%s", host, port ? port : DEFAULT_PORT, database);
        return;
    }
    /* The service file names the rest; what is said beside it sets this source apart. */
    str_add_format(identity, "service:%s", service);
    if (host || port)
        str_add_format(identity, "/%s:%s", host ? host : "", port ? port : "");
    if (database)
        str_add_format(identity, "/%s", database);
}

bool db_source_params(const char *spec, struct db_params *params, struct str *identity,
                      struct error *err)
{
    if (spec ? !read_spec(spec, params, err) : !read_variables(params, err))
        return false;
    if (!check(params, spec != NULL, err))
        return false;
    if (identity)
        add_identity(params, identity);
    add_variable(params, "user", "SOURCE_PGUSER");
    add_variable(params, "password", "SOURCE_PGPASSWORD");
    add_variable(params, "sslmode", "SOURCE_PGSSLMODE");
    return true;
}

bool db_source_identity(const char *spec, struct str *identity, struct error *err)
{
    struct db_params params = {0};
    bool ok = db_source_params(spec, &params, identity, err);
    db_params_release(&params);
    return ok;
}

/* ---- the environment ---- */

struct db_hidden {
    char **entries; /* NAME=VALUE, cut in two at the "=" */
    size_t count;
};

static bool is_shared(const char *name)
{
    static const char *const shared[] = {
        "PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGSSLCERT",
        "PGSSLKEY",   "PGSSLROOTCERT", "PGSSLCRL",     "PGSSLCRLDIR",
    };
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++) {
        if (strcmp(name, shared[i]) == 0)
            return true;
    }
    return false;
}

struct db_hidden *db_hide_environment(void)
{
    struct db_hidden *hidden = mem_alloc(sizeof *hidden);
    for (char **entry = environ; *entry; entry++) {
        size_t length = strcspn(*entry, "=");
        if (strncmp(*entry, "PG", 2) != 0 || (*entry)[length] != '=')
            continue;
        char *copy = mem_strdup(*entry);
        copy[length] = '\0';
        if (is_shared(copy)) {
            free(copy);
            continue;
        }
        hidden->entries =
            mem_resize(hidden->entries, (hidden->count + 1) * sizeof *hidden->entries);
        hidden->entries[hidden->count++] = copy;
    }
    for (size_t i = 0; i < hidden->count; i++)
        unsetenv(hidden->entries[i]);
    return hidden;
}

void db_restore_environment(struct db_hidden *hidden)
{
    for (size_t i = 0; i < hidden->count; i++) {
        char *name = hidden->entries[i];
        setenv(name, name + strlen(name) + 1, 1);
        free(name);
    }
    free(hidden->entries);
    free(hidden);
}
