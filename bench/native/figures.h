/* Clocks, CPU time and a histogram of times. */

#ifndef FIGURES_H
#define FIGURES_H

#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static inline int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* User and system time of this process so far. */
static inline double cpu_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Exact up to 255 µs, then 128 buckets for each doubling: less than 0.8 % too high. */
enum { BUCKETS = 4480 };

struct histogram {
    uint64_t counts[BUCKETS];
    uint64_t count;
    uint64_t max;
};

static inline void histogram_add(struct histogram *h, int64_t us)
{
    uint64_t value = us < 0 ? 0 : (uint64_t)us;
    if (value > h->max)
        h->max = value;
    if (value >= (uint64_t)1 << 40)
        value = ((uint64_t)1 << 40) - 1;
    int shift = value < 256 ? 0 : 63 - __builtin_clzll(value) - 7;
    h->counts[shift * 128 + (int)(value >> shift)]++;
    h->count++;
}

/* The greatest value that falls into a bucket. */
static inline uint64_t histogram_upper(int bucket)
{
    int shift = bucket < 256 ? 0 : bucket / 128 - 1;
    return (((uint64_t)bucket - (uint64_t)shift * 128 + 1) << shift) - 1;
}

static inline uint64_t histogram_quantile(const struct histogram *h, double share)
{
    double wanted = share * (double)h->count;
    uint64_t seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > 0 && (double)seen >= wanted)
            return histogram_upper(i) < h->max ? histogram_upper(i) : h->max;
    }
    return h->max;
}

/* {"count":…,"p50":…,"p90":…,"p99":…,"p99.9":…,"max":…} */
static inline void histogram_print(FILE *out, const struct histogram *h)
{
    fprintf(out, "{\"count\":%llu,\"p50\":%llu,\"p90\":%llu,\"p99\":%llu,\"p99.9\":%llu,\"max\":%llu}",
            (unsigned long long)h->count, (unsigned long long)histogram_quantile(h, 0.5),
            (unsigned long long)histogram_quantile(h, 0.9), (unsigned long long)histogram_quantile(h, 0.99),
            (unsigned long long)histogram_quantile(h, 0.999), (unsigned long long)h->max);
}

#endif
