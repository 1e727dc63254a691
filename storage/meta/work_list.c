/* work_list.c - works in a row, linked through themselves (work_list.h). */
#include "storage/meta/work_list.h"

void work_push(struct work_list *l, struct meta_work *w)
{
    w->next = NULL;
    if (l->last) l->last->next = w;
    else l->first = w;
    l->last = w;
    l->count++;
}

void work_push_front(struct work_list *l, struct meta_work *w)
{
    w->next = l->first;
    l->first = w;
    if (!l->last) l->last = w;
    l->count++;
}

struct meta_work *work_pop(struct work_list *l)
{
    struct meta_work *w = l->first;
    if (!w) return NULL;
    l->first = w->next;
    if (!l->first) l->last = NULL;
    l->count--;
    return w;
}
