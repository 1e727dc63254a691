/*
 * cli.h - the operator's verbs: `firn bucket list`, `firn table show ...`. They speak to a running server over S3 and REST.
 */
#ifndef ADMIN_CLI_CLI_H
#define ADMIN_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

/* Is argv[1] a noun of the command line (cli_main is to be called)? */
bool cli_has_noun(const char *noun);

/* Run argv[1..]. The exit code: 0 done, 1 the server refused or it failed, 2 the words are wrong, 3 the server cannot be reached, 4 what was named does not exist,
 * 5 the credential is not accepted or does not allow it. */
int cli_main(int argc, char **argv);

/* Say on stderr that there is no such noun, and which is near; the exit code. */
int cli_unknown(const char *noun);

/* The table of verbs, for `firn help`. */
void cli_help(FILE *out);

#endif
