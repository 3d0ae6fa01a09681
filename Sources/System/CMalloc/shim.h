// glibc's malloc.h, which the Glibc module leaves out.
#include <malloc.h>
