/* Stands for libcuda.so.1, the driver's library, where there is no GPU: one device of compute capability 8.0, so that
 * TensorFlow goes on to look for the CUDA libraries. It computes nothing; what it proves is that they are found.
 * It is libnvidia-ml.so.1 too: TensorFlow 2.21 starts NVIDIA's management library before it looks for a device. */
#include <stddef.h>
#include <string.h>

typedef int Result;

Result cuInit(unsigned flags) { return 0; }
Result cuDriverGetVersion(int *version) { *version = 12020; return 0; }
Result cuDeviceGetCount(int *count) { *count = 1; return 0; }
Result cuDeviceGet(int *device, int ordinal) { *device = 0; return 0; }
Result cuDeviceGetName(char *name, int size, int device) { strncpy(name, "Fake GPU", size); return 0; }
Result cuDeviceGetPCIBusId(char *id, int size, int device) { strncpy(id, "0000:00:00.0", size); return 0; }
Result cuDeviceComputeCapability(int *major, int *minor, int device) { *major = 8; *minor = 0; return 0; }
Result cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)16 << 30; return 0; }
Result cuDeviceGetUuid(char *uuid, int device) { memset(uuid, 0, 16); return 0; }
Result cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)1; return 0; }
Result cuDevicePrimaryCtxSetFlags(int device, unsigned flags) { return 0; }
Result cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) { *flags = 0; *active = 0; return 0; }
Result cuCtxGetCurrent(void **context) { *context = NULL; return 0; }
Result cuCtxSetCurrent(void *context) { return 0; }
Result cuMemGetInfo_v2(size_t *available, size_t *total) { *available = *total = (size_t)16 << 30; return 0; }
Result cuGetErrorName(Result error, const char **text) { *text = "FAKE"; return 0; }
Result cuGetErrorString(Result error, const char **text) { *text = "fake driver"; return 0; }

/* 75 and 76: CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR (cuda.h). */
Result cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 8 : attribute == 76 ? 0 : 1024;
    return 0;
}

Result nvmlInit_v2(void) { return 0; }
Result nvmlShutdown(void) { return 0; }
