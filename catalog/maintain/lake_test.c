/* lake_test.c - the lake of catalog/refs' tests: a folder's tests are linked with its own alone. */
#include "catalog/refs/lake_test.c" /* NOLINT(bugprone-suspicious-include) */
