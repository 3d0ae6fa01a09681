// libprotobuf-c as a module. Nothing is wrapped: its functions and structs import as they are.
#include <protobuf-c/protobuf-c.h>
