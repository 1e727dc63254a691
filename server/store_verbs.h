/*
 * store_verbs.h - `firn store ...`: what an operator does with a whole data directory, on the machine where it lies.
 */
#ifndef SERVER_STORE_VERBS_H
#define SERVER_STORE_VERBS_H

/* argv: what follows `store`. The exit code: 0 done, or clean; 1 failed, or findings; 2 the words are wrong. */
int store_verb(int argc, char **argv);

#endif
