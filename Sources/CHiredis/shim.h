// libhiredis 0.14 as Swift sees it: a codec and its buffers; the sockets are polled by Redis/RedisConnection.
#ifndef SELLOUT_CHIREDIS_H
#define SELLOUT_CHIREDIS_H
#include <hiredis/hiredis.h>

// `errstr` is a char array, which Swift imports as a tuple.
static inline const char *sellout_redis_errstr(const redisContext *context) { return context->errstr; }
#endif
