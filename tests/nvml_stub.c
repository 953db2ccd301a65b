/* A libnvidia-ml.so.1 for tests: GPUs and faults come from the text file $FAKE_NVML, read at each call.
 *
 * Each line is "key value"; "key.N value" is said of card N alone and wins.
 *   gpus 2            cards that exist          gone.1 1       card 1 fell off the bus
 *   util, membusy     per cent                  temp, fan      degrees, per cent
 *   clock, memclock   MHz                       power, limit   milliwatts
 *   rx, tx            kB/s over PCIe            reasons        bits, why clocks are low
 *   used, total       bytes                     pids 12:4096,13:0
 *   mig.0 2           instances of card 0       session 1      a change ends NVML's session
 *   fault:FUNCTION 4  that call returns 4       fault:* 15     every call about a device does
 *   hang:FUNCTION 800 that call takes 800 ms
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_FOUND = 6, INSUFFICIENT_SIZE };
enum { CARDS = 16, SLOTS = 7, LINE = 512 };

typedef unsigned long long bytes;
typedef struct { int card, slot; } Device; /* slot -1: the card itself */
typedef struct { bytes total, free, used; } Memory;
typedef struct { unsigned version; bytes total, reserved, free, used; } Memory2;
typedef struct { unsigned gpu, memory; } Utilisation;
typedef struct { unsigned pid; bytes memory; unsigned gpu_instance, compute_instance; } Process;

static Device cards[CARDS], instances[CARDS][SLOTS];
static long session = -1;

/* The value of "key.card", else of "key", copied to value; 0 if there is neither. */
static int find(const char *key, int card, char *value) {
    char line[LINE], own[LINE];
    int found = 0;
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return 0;
    snprintf(own, sizeof own, "%s.%d", key, card);
    while (found < 2 && fgets(line, sizeof line, file)) {
        char *space = strchr(line, ' ');
        if (!space) continue;
        *space = 0;
        int match = !strcmp(line, own) ? 2 : !strcmp(line, key) ? 1 : 0;
        if (match > found) {
            found = match;
            strcpy(value, space + 1);
            value[strcspn(value, "\n")] = 0;
        }
    }
    fclose(file);
    return found;
}

static long number(const char *key, int card, long otherwise) {
    char value[LINE];
    return find(key, card, value) ? atol(value) : otherwise;
}

static long said_of(const char *what, const char *function, int card) {
    char key[LINE];
    snprintf(key, sizeof key, "%s:%s", what, function);
    return number(key, card, 0);
}

/* What every call does first: hang, fail, or find its device and its session gone. */
static int begin(const char *function, const Device *device) {
    int card = device ? device->card : -1;
    long ms = said_of("hang", function, card);
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
    long fault = said_of("fault", function, card);
    if (!fault && device) fault = said_of("fault", "*", card);
    if (fault) return (int)fault;
    if (session != number("session", -1, 0)) return UNINITIALIZED;
    if (!device) return SUCCESS;
    if (card >= number("gpus", -1, 0) || number("gone", card, 0)) return INVALID_ARGUMENT;
    return device->slot >= number("mig", card, 0) ? INVALID_ARGUMENT : SUCCESS;
}

#define BEGIN(device) do { int code = begin(__func__, device); if (code) return code; } while (0)
#define CARD_ONLY(device) do { if ((device)->slot >= 0) return INVALID_ARGUMENT; } while (0)

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    session = number("session", -1, 0);
    int code = begin(__func__, NULL);
    if (code) session = -1;
    return code;
}

int nvmlShutdown(void) {
    BEGIN(NULL);
    session = -1;
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    BEGIN(NULL);
    *count = 0;
    for (int card = 0; card < number("gpus", -1, 0); card++) *count += !number("gone", card, 0);
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) {
    for (int card = 0; card < number("gpus", -1, 0) && card < CARDS; card++) {
        if (number("gone", card, 0) || index--) continue;
        cards[card] = (Device){card, -1};
        BEGIN(&cards[card]);
        *device = &cards[card];
        return SUCCESS;
    }
    return INVALID_ARGUMENT;
}

int nvmlDeviceGetUUID(Device *device, char *uuid, unsigned size) {
    BEGIN(device);
    if (device->slot < 0) snprintf(uuid, size, "GPU-%08d-aaaa", device->card);
    else snprintf(uuid, size, "MIG-%08d-bbb%d", device->card, device->slot);
    return SUCCESS;
}

int nvmlDeviceGetName(Device *device, char *name, unsigned size) {
    BEGIN(device);
    char value[LINE] = "Stub 9000";
    find("name", device->card, value);
    snprintf(name, size, device->slot < 0 ? "%s" : "%s MIG 1g", value);
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(Device *device, Utilisation *answer) {
    BEGIN(device);
    if (number("mig", device->card, 0)) return NOT_SUPPORTED;
    unsigned gpu = (unsigned)number("util", device->card, 0);
    *answer = (Utilisation){gpu, (unsigned)number("membusy", device->card, 0)};
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(Device *device, Memory *answer) {
    BEGIN(device);
    bytes used = number("used", device->card, 0), total = number("total", device->card, 0);
    *answer = (Memory){total, total - used, used + 1}; /* the older call counts what is reserved */
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo_v2(Device *device, Memory2 *answer) {
    BEGIN(device);
    bytes used = number("used", device->card, 0), total = number("total", device->card, 0);
    if (device->slot >= 0) { used /= SLOTS; total /= SLOTS; }
    *answer = (Memory2){answer->version, total, 1, total - used, used};
    return SUCCESS;
}

int nvmlDeviceGetTemperature(Device *device, int sensor, unsigned *answer) {
    (void)sensor;
    BEGIN(device);
    CARD_ONLY(device);
    *answer = (unsigned)number("temp", device->card, 0);
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(Device *device, unsigned *answer) {
    BEGIN(device);
    CARD_ONLY(device);
    *answer = (unsigned)number("power", device->card, 0);
    return SUCCESS;
}

int nvmlDeviceGetEnforcedPowerLimit(Device *device, unsigned *answer) {
    BEGIN(device);
    CARD_ONLY(device);
    *answer = (unsigned)number("limit", device->card, 0);
    return SUCCESS;
}

int nvmlDeviceGetClockInfo(Device *device, int kind, unsigned *answer) {
    BEGIN(device);
    CARD_ONLY(device);
    *answer = (unsigned)number(kind == 2 ? "memclock" : "clock", device->card, 0);
    return SUCCESS;
}

int nvmlDeviceGetFanSpeed(Device *device, unsigned *answer) {
    BEGIN(device);
    CARD_ONLY(device);
    *answer = (unsigned)number("fan", device->card, 0);
    return SUCCESS;
}

int nvmlDeviceGetPcieThroughput(Device *device, int counter, unsigned *answer) {
    BEGIN(device);
    CARD_ONLY(device);
    *answer = (unsigned)number(counter ? "rx" : "tx", device->card, 0);
    return SUCCESS;
}

int nvmlDeviceGetCurrentClocksEventReasons(Device *device, bytes *answer) {
    BEGIN(device);
    CARD_ONLY(device);
    *answer = (bytes)number("reasons", device->card, 0);
    return SUCCESS;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(Device *device, bytes *answer) {
    BEGIN(device);
    CARD_ONLY(device);
    *answer = (bytes)number("reasons", device->card, 0);
    return SUCCESS;
}

static int processes(const Device *device, unsigned *count, Process *answer) {
    char value[LINE] = "";
    unsigned room = answer ? *count : 0;
    find("pids", device->card, value);
    *count = 0;
    for (char *each = strtok(value, ","); each; each = strtok(NULL, ",")) {
        char *colon = strchr(each, ':');
        bytes memory = colon ? strtoull(colon + 1, NULL, 10) : ~0ULL; /* ~0: not available */
        if (*count < room) answer[*count] = (Process){(unsigned)atol(each), memory, ~0u, ~0u};
        ++*count;
    }
    return *count > room ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v2(Device *device, unsigned *count, Process *answer) {
    BEGIN(device);
    return processes(device, count, answer);
}

int nvmlDeviceGetComputeRunningProcesses_v3(Device *device, unsigned *count, Process *answer) {
    BEGIN(device);
    return processes(device, count, answer);
}

int nvmlDeviceGetMigMode(Device *device, unsigned *current, unsigned *pending) {
    BEGIN(device);
    *current = *pending = number("mig", device->card, 0) > 0;
    return SUCCESS;
}

int nvmlDeviceGetMaxMigDeviceCount(Device *device, unsigned *count) {
    BEGIN(device);
    *count = SLOTS;
    return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(Device *device, unsigned slot, Device **answer) {
    BEGIN(device);
    if (slot >= SLOTS || slot >= number("mig", device->card, 0)) return NOT_FOUND;
    *answer = &instances[device->card][slot];
    **answer = (Device){device->card, (int)slot};
    return SUCCESS;
}

int nvmlDeviceGetGpuInstanceId(Device *device, unsigned *answer) {
    BEGIN(device);
    *answer = 7 + device->slot;
    return SUCCESS;
}

int nvmlDeviceGetComputeInstanceId(Device *device, unsigned *answer) {
    BEGIN(device);
    *answer = 0;
    return SUCCESS;
}
