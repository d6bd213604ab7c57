/* The view's tables and effects (internal to gateway/store; view.h is for everybody) */
#pragma once

struct gbx_view_effect {
        const char *action, *sql; /* the statements see :e, the entry's text, and :seq, its number */
};

extern const int gbx_view_version; /* with another one the view is made anew from the log */
extern const char gbx_view_schema[];
extern const struct gbx_view_effect gbx_view_effects[]; /* ended by an empty one; an action may have several */
