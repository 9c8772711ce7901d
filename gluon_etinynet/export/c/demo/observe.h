/* What watches the layers: trace.c or profile.c, linked with the runtime compiled with -DETN_OBSERVED. */
#ifndef OBSERVE_H
#define OBSERVE_H

void observe_begin(void);
void observe_end(void);

#endif
