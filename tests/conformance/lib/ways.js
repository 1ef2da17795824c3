'use strict';
/*
 * A case is sent in every way that a network may bring it. Each way gives the deliveries of a case: lists of buffers,
 * one write each. How often the kernel then lets the server read is up to both; over TLS every write is a record.
 */

const SPREAD = 2000; /* pieces of what is too long to be cut at every byte */
const CUTS = 120;    /* cuts in two, likewise */

/* Where to cut LEN bytes: everywhere, or at COUNT places, of which the first are side by side. */
function places(len, count) {
	if (len - 1 <= count)
		return Array.from({ length: Math.max(0, len - 1) }, (_, i) => i + 1);
	const dense = Math.min(64, count >> 1);
	const step = (len - dense) / (count - dense);
	return Array.from({ length: count }, (_, i) => (i < dense ? i + 1 : Math.floor(dense + (i - dense + 0.5) * step)));
}

function cutAt(data, at) {
	const out = [];
	let from = 0;
	for (const to of [...new Set([...at, data.length])]) {
		if (to > from)
			out.push(data.subarray(from, to));
		from = to;
	}
	return out;
}

const bytewise = (parts) => {
	const data = Buffer.concat(parts);
	return cutAt(data, places(data.length, SPREAD));
};

/* Every cut in two; of long ones so few that they cost no more than the short ones. */
function halves(parts) {
	const data = Buffer.concat(parts);
	const count = Math.max(1, Math.min(CUTS, Math.floor((1 << 20) / data.length)));
	return places(data.length, count).map((at) => cutAt(data, [at]));
}

module.exports = { bytewise, halves };
