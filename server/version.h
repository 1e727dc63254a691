/*
 * version.h - what this build calls itself.
 */
#ifndef SERVER_VERSION_H
#define SERVER_VERSION_H

#define FIRN_VERSION "0.1.0"

#endif
