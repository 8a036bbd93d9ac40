/* SPDX-License-Identifier: MIT
 *
 * Connecting without blocking, and telling why it failed without libpq's text,
 * which may quote the connection string and comes in any language. With
 * PQERRORS_SQLSTATE the server's refusals are shortened to "FATAL:  28P01";
 * what carries no such code was no answer of a server.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "io/db_private.h"

#define CONNECT_TIMEOUT_DEFAULT 10 /* seconds for each host */
#define CONNECT_TIMEOUT_MAX 3600

static void drop_notice(void *data, const PGresult *result)
{
    (void)data;
    (void)result; /* a notice can quote a row */
}

/* A copy of a parameter in force, from whatever place libpq took it; NULL if unset. Yours. */
static char *setting_of(PGconn *conn, const char *keyword)
{
    char *value = NULL;
    PQconninfoOption *options = PQconninfo(conn);
    for (PQconninfoOption *option = options; option && option->keyword; option++) {
        if (strcmp(option->keyword, keyword) == 0 && option->val && option->val[0] != '\0')
            value = mem_strdup(option->val);
    }
    PQconninfoFree(options);
    return value;
}

static size_t count_hosts_of(PGconn *conn)
{
    char *addresses = setting_of(conn, "hostaddr");
    char *hosts = setting_of(conn, "host");
    const char *list = addresses ? addresses : hosts;
    size_t count = list ? db_count_hosts(list) : 1;
    free(addresses);
    free(hosts);
    return count;
}

/* Microseconds by connect_timeout, which libpq leaves to those who do not block; -1 for ever.
 * False if it is no number. */
static bool find_timeout(PGconn *conn, int64_t *timeout)
{
    char *text = setting_of(conn, "connect_timeout");
    char *end = NULL;
    long seconds = text ? strtol(text, &end, 10) : CONNECT_TIMEOUT_DEFAULT;
    bool is_number = !end || *end == '\0';
    free(text);
    if (seconds > 0 && seconds < 2)
        seconds = 2; /* as libpq does */
    if (seconds > CONNECT_TIMEOUT_MAX)
        seconds = CONNECT_TIMEOUT_MAX;
    *timeout = seconds <= 0 ? -1 : seconds * CLOCK_SECOND * (int64_t)count_hosts_of(conn);
    return is_number;
}

/* The code of the last refusal in libpq's message, "" if no server answered. */
static void find_sqlstate(const char *message, char *sqlstate)
{
    sqlstate[0] = '\0';
    for (const char *at = strstr(message, ":  "); at; at = strstr(at + 1, ":  ")) {
        const char *code = at + 3;
        size_t length = strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (length == 5 && (code[5] == '\n' || code[5] == '\0')) {
            memcpy(sqlstate, code, 5);
            sqlstate[5] = '\0';
        }
    }
}

/* True if hosts, addresses and ports are as many as each other, and the ports are ports. */
static bool has_matching_lists(PGconn *conn)
{
    char *addresses = setting_of(conn, "hostaddr");
    char *hosts = setting_of(conn, "host");
    char *ports = setting_of(conn, "port");
    bool fit = !addresses || !hosts || db_count_hosts(addresses) == db_count_hosts(hosts);
    fit = fit && (!ports || db_is_port_list(ports, count_hosts_of(conn)));
    free(addresses);
    free(hosts);
    free(ports);
    return fit;
}

/*
 * True if libpq did not even try, because it cannot use the parameters. Asked
 * by trying them once more against an address where nobody listens.
 */
static bool is_unusable(PGconn *conn, const struct db_params *params)
{
    struct db_params nowhere = {0};
    for (size_t i = 0; i < params->count; i++)
        db_params_set(&nowhere, params->keywords[i], params->values[i]);
    db_params_set(&nowhere, "host", "localhost");
    db_params_set(&nowhere, "hostaddr", "127.0.0.1");
    db_params_set(&nowhere, "port", "1");
    db_params_set(&nowhere, "connect_timeout", "2");
    PGPing answer =
        PQpingParams((const char *const *)nowhere.keywords, (const char *const *)nowhere.values, 0);
    db_params_release(&nowhere);

    return answer == PQPING_NO_ATTEMPT || !has_matching_lists(conn);
}

static const char *remedy(enum status status, const char *sqlstate, bool is_source)
{
    switch (status) {
    case STATUS_PERMISSION:
        if (strcmp(sqlstate, "42501") == 0)
            return "grant the role CONNECT on the database";
        return is_source ? "check the source's user, SOURCE_PGPASSWORD and the password file"
                         : "check PGUSER and the password file";
    case STATUS_CONFIG:
        return is_source ? "check the name of the source's database" : "check PGDATABASE";
    case STATUS_TEMPORARY: return "run the step again";
    default:
        return is_source ? "check the source's host and port, and that its server runs"
                         : "check PGHOST and PGPORT, and that the server runs";
    }
}

static bool refuse_parameters(bool is_source, struct error *err)
{
    return error_set(err, STATUS_CONFIG, "connection parameters of the %s cannot be used; check %s",
                     is_source ? "source" : "warehouse",
                     is_source ? "--source, the SOURCE_PG variables and the service file"
                               : "the PG variables and the service file");
}

static bool refuse(PGconn *conn, const struct db_params *params, bool is_source, struct error *err)
{
    const char *kind = is_source ? "source" : "warehouse";
    char sqlstate[6];
    find_sqlstate(PQerrorMessage(conn), sqlstate);
    if (sqlstate[0] != '\0') {
        enum status status = db_status_of(sqlstate, is_source);
        if (status == STATUS_BUG)
            status = STATUS_UNAVAILABLE;
        error_set(err, status, "could not connect to the %s (SQLSTATE %s); %s", kind, sqlstate,
                  remedy(status, sqlstate, is_source));
        memcpy(err->sqlstate, sqlstate, sizeof err->sqlstate);
        return false;
    }
    if (PQconnectionNeedsPassword(conn))
        return error_set(err, STATUS_PERMISSION,
                         "could not connect to the %s, which asks for a password; %s", kind,
                         remedy(STATUS_PERMISSION, sqlstate, is_source));
    if (is_unusable(conn, params))
        return refuse_parameters(is_source, err);
    return error_set(err, STATUS_UNAVAILABLE, "could not connect to the %s; %s", kind,
                     remedy(STATUS_UNAVAILABLE, sqlstate, is_source));
}

/* Drives the connection until it stands. */
static bool establish(PGconn *conn, const struct db_params *params, bool is_source,
                      struct error *err)
{
    const char *kind = is_source ? "source" : "warehouse";
    int64_t timeout;
    if (!find_timeout(conn, &timeout))
        return refuse_parameters(is_source, err);
    int64_t deadline = timeout < 0 ? -1 : clock_monotonic() + timeout;
    PostgresPollingStatusType next =
        PQstatus(conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
        int64_t left = deadline < 0 ? -1000 : deadline - clock_monotonic();
        if (deadline >= 0 && left <= 0)
            return error_set(err, STATUS_UNAVAILABLE, "could not connect to the %s in time; %s",
                             kind, remedy(STATUS_UNAVAILABLE, "", is_source));
        short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        enum interrupt_waited waited =
            interrupt_wait(PQsocket(conn), events, (int)((left + 999) / 1000), NULL);
        if (waited == INTERRUPT_STOP)
            return error_set(err, STATUS_INTERRUPTED, "stopped while connecting to the %s; %s",
                             kind, "run the step again");
        if (waited == INTERRUPT_READY)
            next = PQconnectPoll(conn);
    }
    return next == PGRES_POLLING_OK || refuse(conn, params, is_source, err);
}

PGconn *db_connect(const struct db_params *params, bool is_source, struct error *err)
{
    PGconn *conn = PQconnectStartParams((const char *const *)params->keywords,
                                        (const char *const *)params->values, 0);
    PQsetErrorVerbosity(conn, PQERRORS_SQLSTATE);
    PQsetNoticeReceiver(conn, drop_notice, NULL);
    if (!establish(conn, params, is_source, err)) {
        PQfinish(conn);
        return NULL;
    }
    return conn;
}
