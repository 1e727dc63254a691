/*
 * work_list.h - submitted works, first in first out. They link through themselves, so nothing is allocated and nothing fails.
 */
#ifndef STORAGE_META_WORK_LIST_H
#define STORAGE_META_WORK_LIST_H

#include "storage/meta/meta.h"

struct work_list {
    struct meta_work *first, *last;
    size_t count;
};

void work_push(struct work_list *l, struct meta_work *w);
void work_push_front(struct work_list *l, struct meta_work *w);
struct meta_work *work_pop(struct work_list *l); /* NULL: empty */

#endif
