/*
 * Any bytes: the quick way to judge JSON and the slow one, which is the grammar itself, agree.
 */
#include <stdint.h>
#include <stdlib.h>

#include "../slow_json.h"
#include "proto/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool good = json_fault(data, size) == NULL;

	if (good != slow_is_json(data, size, JSON_DEPTH_MAX))
		abort();
	return 0;
}
