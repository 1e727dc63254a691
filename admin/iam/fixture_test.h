/* fixture_test.h - opens identities in a directory of the test's own. */
#ifndef ADMIN_IAM_FIXTURE_TEST_H
#define ADMIN_IAM_FIXTURE_TEST_H

#include "admin/iam/access.h"
#include "tests/unit/test.h"

#define ROOT_USER "AKIAIOSFODNN7EXAMPLE"
#define ROOT_PASSWORD "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

/* A file of this text, 0600, in test_dir(). Its path lives as long as the test. */
const char *file_with(const char *name, const char *text);
const char *path_in(const char *dir, const char *name);
/* Options for a new store in dir, whose id is all 7; root's credential is given. */
struct iam_options options_in(const char *dir);
/* With these identities (JSON text; NULL: none). */
struct iam *iam_with(const char *identities);
/* What iam knows now, for as long as the test. */
const struct directory *directory_of(const struct iam *iam);
const struct principal *principal_called(const struct iam *iam, const char *name); /* NULL: there is none */
/* A principal of the opened identities; the test fails without it. */
struct caller caller_of(const struct iam *iam, const char *name);

#endif
