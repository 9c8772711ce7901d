/* A command line's words, for ports whose machine hands it over as one line. */
#ifndef WORDS_H
#define WORDS_H

/* Ends the words in place and points at them; returns how many there are. */
static inline int split(char *line, char **words, int most)
{
    int count = 0;
    while (count < most && *line) {
        while (*line == ' ')
            *line++ = 0;
        if (*line)
            words[count++] = line;
        while (*line && *line != ' ')
            line++;
    }
    return count;
}

#endif
