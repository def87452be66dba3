// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The one XDP program: whose is this frame, and to which socket does it go?
 *
 * Not ours: XDP_PASS, always. Ours and healthy: to the lane's socket, with XDP_PASS when there is none
 * (any more). Ours and malformed or denied: XDP_DROP. Every frame is counted under one verdict.
 *
 * "Ours" is a UDP packet to one of `local_addresses` and to a port in `lanes`.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"
#include "parse.h"

/* What follows the ports in a UDP header. */
struct udp_rest {
	__be16 length;
	__be16 checksum;
};

static __always_inline int count(enum nc_verdict verdict, int action)
{
	__u32 key = verdict;
	__u64 *counter = bpf_map_lookup_elem(&counters, &key);

	if (counter)
		*counter += 1;
	return action;
}

/* Returns NC_STEERED when the packet is whole and its lengths agree. */
static __always_inline enum nc_verdict check_lengths(struct xdp_md *ctx, struct cursor *cursor,
						     const struct packet *packet)
{
	struct udp_rest *udp = cursor_take(cursor, sizeof(*udp));
	__u32 length;

	if (packet->fragment)
		return NC_DROP_FRAGMENT;
	if (!udp)
		return NC_DROP_TRUNCATED;
	length = bpf_ntohs(udp->length);
	if (length < sizeof(struct udphdr) || length > packet->payload_length ||
	    packet->payload_length > packet->ip_length)
		return NC_DROP_BAD_LENGTH;
	if (packet->ip_offset + packet->ip_length > bpf_xdp_get_buff_len(ctx))
		return NC_DROP_TRUNCATED;
	return NC_STEERED;
}

static __always_inline _Bool denied(const struct packet *packet)
{
	struct nc_peer_prefix prefix = {.prefixlen = 128};
	__u32 key = NC_KNOB_DENY_UNKNOWN_PEERS;
	struct nc_peer *peer;
	__u64 *deny_unknown;

	__builtin_memcpy(prefix.bytes, &packet->source, sizeof(prefix.bytes));
	peer = bpf_map_lookup_elem(&peers, &prefix);
	if (peer)
		return peer->action == NC_PEER_DENY;
	deny_unknown = bpf_map_lookup_elem(&policy, &key);
	return deny_unknown && *deny_unknown;
}

/*
 * A socket receives only from the queue that it is bound to: elsewhere the queue's home socket takes it. So it
 * does when the lane's slot is no slot, empty, or one of another queue than the lane says: maps are written by
 * hand, too, and a redirect to a wrong socket would lose the packet without a trace.
 */
static __always_inline int steer(struct xdp_md *ctx, const struct nc_lane *lane)
{
	__u32 queue = ctx->rx_queue_index;
	__u32 slot = lane->slot;

	/* Keeps the compiler from choosing between pointers into ctx and lane, which the verifier refuses. */
	asm volatile("" : "+r"(queue), "+r"(slot));
	if (lane->queue == queue && NC_SLOT_QUEUE(slot) == queue && bpf_map_lookup_elem(&xsks, &slot))
		return count(NC_STEERED, bpf_redirect_map(&xsks, slot, XDP_PASS));
	if (queue >= NC_MAX_QUEUES || !bpf_map_lookup_elem(&xsks, &queue))
		return count(NC_PASS_NO_SOCKET, XDP_PASS);
	return count(NC_STEERED_HOME, bpf_redirect_map(&xsks, queue, XDP_PASS));
}

SEC("xdp.frags")
int netchannel_steer(struct xdp_md *ctx)
{
	struct cursor cursor = {
		.pos = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	struct packet packet = {};
	enum nc_verdict verdict = parse_frame(&cursor, &packet);
	struct nc_lane *lane;

	if (verdict != NC_STEERED)
		return count(verdict, XDP_PASS);
	lane = bpf_map_lookup_elem(&lanes, &packet.destination_port);
	if (!lane)
		return count(NC_PASS_OTHER_PORT, XDP_PASS);
	if (!bpf_map_lookup_elem(&local_addresses, &packet.destination))
		return count(NC_PASS_OTHER_ADDRESS, XDP_PASS);
	if (lane->action == NC_ACTION_PASS)
		return count(NC_PASS_LANE_ACTION, XDP_PASS);

	verdict = check_lengths(ctx, &cursor, &packet);
	if (verdict != NC_STEERED)
		return count(verdict, XDP_DROP);
	if (lane->action == NC_ACTION_DROP)
		return count(NC_DROP_LANE_ACTION, XDP_DROP);
	if (denied(&packet))
		return count(NC_DROP_DENIED, XDP_DROP);
	return steer(ctx, lane);
}

char _license[] SEC("license") = "Dual BSD/GPL";
